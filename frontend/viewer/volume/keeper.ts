/** The page's end of the thread that keeps the voxels. */

import type { Asked, Order, Said, Told } from './messages';

/** Something could not be kept or read; mostly there is no memory for it. */
export class KeeperFailed extends Error {}

interface Waiting {
  done: (said: Said) => void;
  failed: (cause: Error) => void;
}

export class Keeper {
  readonly #worker = new Worker(new URL('./keeper-worker.ts', import.meta.url), { type: 'module' });
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #closed = false;

  constructor() {
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Told>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ('error' in data) waiting?.failed(new KeeperFailed(data.error));
      else waiting?.done(data.said);
    });
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault();
      for (const { failed } of this.#waiting.values()) failed(new KeeperFailed(event.message || 'the thread stopped'));
      this.#waiting.clear();
    });
  }

  /** Rejects with KeeperFailed. */
  ask<T extends Said>(order: Order, transfer: Transferable[] = []): Promise<T> {
    if (this.#closed) return Promise.reject(new KeeperFailed('closed'));
    const asked: Asked = { ...order, id: this.#next++ };
    return new Promise((done, failed) => {
      this.#waiting.set(asked.id, { done: done as (said: Said) => void, failed });
      this.#worker.postMessage(asked, transfer);
    });
  }

  /** Ends the thread: its memory is free at once. */
  close(): void {
    this.#closed = true;
    this.#worker.terminate();
    for (const { failed } of this.#waiting.values()) failed(new KeeperFailed('closed'));
    this.#waiting.clear();
  }
}
