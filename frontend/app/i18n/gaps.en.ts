/** English words of gaps in a stack. */

export default {
  'gap.after': [
    'An image is missing after this one ({gap}\u00a0mm to the next)',
    '{n} images are missing after this one ({gap}\u00a0mm to the next)',
  ],
  'gap.before': [
    'An image is missing before this one ({gap}\u00a0mm from the one before)',
    '{n} images are missing before this one ({gap}\u00a0mm from the one before)',
  ],
  'gap.series': ['Images are missing at one place of this series', 'Images are missing at {n} places of this series'],
} satisfies Record<string, string | [string, string]>;
