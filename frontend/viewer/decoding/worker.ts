/** Decodes HTJ2K code streams in a thread of its own. */

import load from '@cornerstonejs/codec-openjph/wasmjs';
import wasm from '@cornerstonejs/codec-openjph/wasm?url';
import type { Answer, Job, Picture } from './messages';

const loaded = load({ locateFile: () => wasm }).then((openJph) => new openJph.HTJ2KDecoder());

async function decode({ room, length, level }: Job): Promise<Picture> {
  const decoder = await loaded;
  decoder.getEncodedBuffer(length).set(new Uint8Array(room, 0, length));
  decoder.decodeSubResolution(level);
  const { bitsPerSample, componentCount, isSigned } = decoder.getFrameInfo();
  const { width, height } = decoder.calculateSizeAtDecompositionLevel(level);
  const words = decoder.getDecodedBuffer().slice().buffer;
  return { words, width, height, components: componentCount, wordBits: bitsPerSample > 8 ? 16 : 8, signed: isSigned };
}

addEventListener('message', (event: MessageEvent<Job>) => {
  const { id, room } = event.data;
  decode(event.data).then(
    (picture) => answer({ id, room, picture }, [room, picture.words]),
    (cause: unknown) => answer({ id, room, error: String(cause) }, [room]),
  );
});

function answer(said: Answer, given: Transferable[]): void {
  (postMessage as (message: Answer, given: Transferable[]) => void)(said, given);
}
