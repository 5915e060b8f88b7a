/** The threads that decode code streams: begun with the first one, shared by all panes of a page. */

import type { Answer, Job, Picture } from './messages';
import { Rooms } from './rooms';

/** A code stream that cannot be decoded. */
export class StreamDamaged extends Error {}

interface Waiting {
  done: (picture: Picture) => void;
  failed: (cause: Error) => void;
}

const rooms = new Rooms();

class Decoder {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  constructor(readonly onLost: (decoder: Decoder) => void) {
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    this.#worker.addEventListener('message', (event: MessageEvent<Answer>) => this.#take(event.data));
    this.#worker.addEventListener('error', (event) => this.#lose(event.message));
  }

  get load(): number {
    return this.#waiting.size;
  }

  decode(bytes: Uint8Array<ArrayBuffer>, level: number): Promise<Picture> {
    const job: Job = { id: this.#next++, room: rooms.filled(bytes), length: bytes.length, level };
    return new Promise((done, failed) => {
      this.#waiting.set(job.id, { done, failed });
      this.#worker.postMessage(job, [job.room]);
    });
  }

  #take(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    rooms.take(answer.room);
    if ('picture' in answer) waiting?.done(answer.picture);
    else waiting?.failed(new StreamDamaged(answer.error));
  }

  #lose(message: string): void {
    this.#worker.terminate();
    this.onLost(this);
    for (const { failed } of this.#waiting.values()) failed(new Error(message || 'the decoder stopped'));
    this.#waiting.clear();
  }
}

const MOST = Math.max(1, Math.min(4, (navigator.hardwareConcurrency || 2) - 1));
const decoders = new Set<Decoder>();

/** Begins the first thread, which fetches the codec, before the first code stream is there. */
export function warmUp(): void {
  if (decoders.size === 0) decoders.add(new Decoder((lost) => decoders.delete(lost)));
}

/** Decodes a stream, or its beginning at a lower resolution; the bytes are taken before it returns. Throws StreamDamaged, or Error when the thread is lost. */
export function decodeStream(bytes: Uint8Array<ArrayBuffer>, level = 0): Promise<Picture> {
  let idlest: Decoder | undefined;
  for (const decoder of decoders) if (!idlest || decoder.load < idlest.load) idlest = decoder;
  if (!idlest || (idlest.load > 0 && decoders.size < MOST)) {
    idlest = new Decoder((lost) => decoders.delete(lost));
    decoders.add(idlest);
  }
  return idlest.decode(bytes, level);
}
