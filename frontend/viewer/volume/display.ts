/** What the display is given for each level 0 to 255: the same that the reading room's other pictures are painted with. */

import type { Frame } from '../frame';
import { buildTable } from '../grey';

const LEVELS: Frame = {
  facts: { rows: 1, columns: 256, samples: 1, bits_allocated: 8, bits_stored: 8, signed: false, photometric: 'MONOCHROME2' },
  samples: new Uint8Array(0), slope: 1, intercept: 0, bytes: 0, rows: 1, columns: 256, coarse: false,
};

/** RGBA words (little endian) of the grey levels, after the display's correction where there is one. */
export const displayed = (): Uint32Array =>
  buildTable(LEVELS, { window: { center: 127.5, width: 255, kind: 'LINEAR_EXACT' }, invert: false });
