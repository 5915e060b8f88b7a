/** What goes to the decoding worker and comes back. */

export interface Job {
  id: number;
  /** Begins with the code stream, as far as its level needs it; handed over, and handed back with the answer. */
  room: ArrayBuffer;
  /** Bytes of it. */
  length: number;
  /** How often the edges are halved. */
  level: number;
}

export interface Picture {
  /** 8- or 16-bit words, interleaved. */
  words: ArrayBuffer;
  width: number;
  height: number;
  components: number;
  wordBits: 8 | 16;
  signed: boolean;
}

export type Answer = { id: number; room: ArrayBuffer } & ({ picture: Picture } | { error: string });
