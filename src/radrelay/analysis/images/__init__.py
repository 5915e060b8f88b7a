"""From DICOM images to arrays: series recognised, slices and time points put in order, pixels in HU or signal."""
