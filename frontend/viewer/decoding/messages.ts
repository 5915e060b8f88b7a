/** What goes to the decoding worker and comes back. */

export interface Job {
  id: number;
  /** The code stream's beginning, as far as its level needs it. */
  bytes: Uint8Array<ArrayBuffer>;
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

export type Answer = { id: number; picture: Picture } | { id: number; error: string };
