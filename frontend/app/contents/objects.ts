/** What the objects of a series are called where one is to be chosen. */

import type { InstanceRow, SeriesRow } from '../api/types';
import { t } from '../i18n/index.svelte';

/** Names of storage classes by the end of their UID (PS3.6 A), without "Storage"; in the standard's own words. */
const CLASSES: Readonly<Record<string, string>> = {
  '1': 'CR Image', '1.1': 'Digital X-Ray Image', '1.2': 'Digital Mammography Image', '2': 'CT Image', '2.1': 'Enhanced CT Image',
  '3.1': 'US Multi-frame Image', '4': 'MR Image', '4.1': 'Enhanced MR Image', '6.1': 'US Image', '7': 'Secondary Capture',
  '9.1.1': '12-lead ECG', '11.1': 'Presentation State', '12.1': 'XA Image', '12.2': 'XRF Image', '13.1.3': 'Breast Tomosynthesis',
  '20': 'NM Image', '66': 'Raw Data', '66.4': 'Segmentation', '77.1.6': 'Whole Slide Image', '88.11': 'Basic Text SR',
  '88.22': 'Enhanced SR', '88.33': 'Comprehensive SR', '88.59': 'Key Object Selection', '88.67': 'Dose SR', '104.1': 'Encapsulated PDF',
  '128': 'PET Image', '481.2': 'RT Dose', '481.3': 'RT Structure Set', '481.5': 'RT Plan',
};
const STORAGE = '1.2.840.10008.5.1.4.1.1.';

export function className(uid: string): string {
  return (uid.startsWith(STORAGE) && CLASSES[uid.slice(STORAGE.length)]) || uid;
}

type Named = Pick<InstanceRow, 'number' | 'sop_class_uid'>;

/** By series, place in the stack (from 0), the object's own number where it differs, and class. */
export function objectLabel(one: Named, place: number, count: number, series: Pick<SeriesRow, 'number'> | null): string {
  const parts = [
    series?.number == null ? '' : t('series.number', { n: String(series.number) }),
    t('view.image', { index: place + 1, count }),
    one.number === null || one.number === place + 1 ? '' : t('header.objectNumber', { number: String(one.number) }),
    className(one.sop_class_uid),
  ];
  return parts.filter(Boolean).join(' · ');
}
