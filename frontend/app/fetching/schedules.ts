/** A schedule before anything is written in it. */

import type { Plan } from '../api/schedules';

export function fresh(pacs: string | undefined): Plan {
  return {
    name: '', kind: 'timed', enabled: true, pacs: pacs ? [pacs] : [], times: '30 5 * * 1-5', since_days: 1, until_days: 0, last_hours: null, modalities: [],
    description: '', whose: 'anybody', wards: [], on_study: true, on_order: true, same_modality: false, same_body_part: false, years: 5, most_each: null,
    keep_days: 7, most_studies: 200, most_instances: null, most_bytes: null, stop_at: '', at_once: 1, pause_s: 0,
  };
}
