/** Keeps voxels away from the page's own thread. */

import { Keeping } from './keeping';
import type { Asked, Said, Told } from './messages';

const keeping = new Keeping();

addEventListener('message', ({ data }: MessageEvent<Asked>) => {
  try {
    const said = keeping.answer(data);
    tell({ id: data.id, said }, given(said));
  } catch (cause) {
    tell({ id: data.id, error: cause instanceof Error ? cause.message : String(cause) });
  }
});

function given(said: Said): Transferable[] {
  if (said instanceof ArrayBuffer) return [said];
  return said instanceof Float32Array ? [said.buffer] : [];
}

function tell(told: Told, transfer: Transferable[] = []): void {
  (postMessage as (told: Told, transfer: Transferable[]) => void)(told, transfer);
}
