/**
 * Memory in which code streams go to the threads and come back, used over and over: what is sent as a copy stays as rubbish
 * with the thread, tens of megabytes of it, until that thread has reason to clear up.
 */

const MOST = 8; // as many as are on their way at once
const MOST_BYTES = 8 << 20; // in all, of those that wait

export class Rooms {
  readonly #spare: ArrayBuffer[] = [];

  /** Returns a room that begins with the bytes. */
  filled(bytes: Uint8Array<ArrayBuffer>): ArrayBuffer {
    const fitting = this.#spare.findIndex(({ byteLength }) => byteLength >= bytes.length);
    const [room = new ArrayBuffer(roundedUp(bytes.length))] = fitting < 0 ? [] : this.#spare.splice(fitting, 1);
    new Uint8Array(room).set(bytes);
    return room;
  }

  /** Takes a room back; the smallest ones are given up when there are too many, and all that is too large. */
  take(room: ArrayBuffer): void {
    this.#spare.push(room);
    this.#spare.sort((one, other) => one.byteLength - other.byteLength);
    if (this.#spare.length > MOST) this.#spare.shift();
    while (this.#bytes > MOST_BYTES) this.#spare.pop();
  }

  get #bytes(): number {
    return this.#spare.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }
}

/** Streams of a series differ little: with a quarter more the next one fits too. */
const roundedUp = (length: number): number => Math.ceil((1.25 * length) / 65_536) * 65_536;
