/** Something read from the server that a page shows and may read again; by itself where the server did not answer. */

import { mayPass } from '../api/client';
import { onceBack } from './live.svelte';

export class Resource<T> {
  value: T | undefined = $state.raw(undefined);
  problem: unknown = $state.raw(undefined);
  readonly #load: () => Promise<T>;
  #turn = 0;
  #giveUp: () => void = () => undefined;

  constructor(load: () => Promise<T>) {
    this.#load = load;
    void this.read();
  }

  /** Reads anew; the old value stands until then. Of several reads under way the last one counts. */
  async read(): Promise<void> {
    const turn = ++this.#turn;
    this.#giveUp();
    try {
      const value = await this.#load();
      if (turn !== this.#turn) return;
      this.value = value;
      this.problem = undefined;
    } catch (cause) {
      if (turn !== this.#turn) return;
      this.problem = cause;
      if (mayPass(cause)) this.#giveUp = onceBack(() => void this.read());
    }
  }
}
