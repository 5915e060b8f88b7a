/** How fast the line to the server is, as far as frames have shown; a line that is not known counts as slow. */

const FAST_BYTES_PER_MS = 50_000; // a CT slice: 290 kB less to send, for some 5 ms to encode and decode
const TELLING_BYTES = 50_000; // less says nothing of a line
const WEIGHT = 0.3;

export class Link {
  #pace = 0;

  /** Takes note of an answer's bytes and the milliseconds that they took to come. */
  note(bytes: number, milliseconds: number): void {
    if (bytes < TELLING_BYTES) return;
    const pace = bytes / Math.max(1, milliseconds);
    this.#pace = this.#pace === 0 ? pace : this.#pace + WEIGHT * (pace - this.#pace);
  }

  get isSlow(): boolean {
    return this.#pace < FAST_BYTES_PER_MS;
  }
}

/** The one of this page. */
export const link = new Link();
