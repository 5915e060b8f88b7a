/** Films as animated GIF (GIF89a): 256 greys as they are, colours by a fixed palette with an ordered dither. */

const REDS = 6;
const GREENS = 7;
const BLUES = 6;
const BAYER = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5];
const MOST_CODES = 4096;

export interface GifFrame {
  width: number;
  height: number;
  /** RGBA. */
  data: Uint8ClampedArray;
}

function isGrey({ data }: GifFrame): boolean {
  for (let at = 0; at < data.length; at += 4) {
    if (data[at] !== data[at + 1] || data[at] !== data[at + 2]) return false;
  }
  return true;
}

function palette(grey: boolean): Uint8Array {
  const table = new Uint8Array(768);
  for (let at = 0; at < 256; at += 1) {
    if (grey) table.fill(at, at * 3, at * 3 + 3);
    else if (at < REDS * GREENS * BLUES) {
      table[at * 3] = Math.round((Math.floor(at / (GREENS * BLUES)) * 255) / (REDS - 1));
      table[at * 3 + 1] = Math.round(((Math.floor(at / BLUES) % GREENS) * 255) / (GREENS - 1));
      table[at * 3 + 2] = Math.round(((at % BLUES) * 255) / (BLUES - 1));
    }
  }
  return table;
}

function indices(frame: GifFrame, grey: boolean): Uint8Array {
  const { data, width } = frame;
  const out = new Uint8Array(data.length / 4);
  for (let at = 0; at < out.length; at += 1) {
    const from = at * 4;
    if (grey) {
      out[at] = data[from] ?? 0;
      continue;
    }
    const shake = ((BAYER[(Math.floor(at / width) & 3) * 4 + ((at % width) & 3)] ?? 0) + 0.5) / 16 - 0.5;
    const step = (value: number, steps: number): number => Math.min(steps - 1, Math.max(0, Math.round((value / 255) * (steps - 1) + shake)));
    out[at] = (step(data[from] ?? 0, REDS) * GREENS + step(data[from + 1] ?? 0, GREENS)) * BLUES + step(data[from + 2] ?? 0, BLUES);
  }
  return out;
}

/** LZW with codes of 9 to 12 bits, in blocks of at most 255 bytes (GIF89a appendix F). */
function compressed(pixels: Uint8Array): Uint8Array[] {
  const CLEAR = 256;
  const END = 257;
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  let size = 9;
  let next = 258;
  let table = new Map<number, number>();
  const put = (code: number): void => {
    held |= code << bits;
    bits += size;
    while (bits >= 8) {
      bytes.push(held & 255);
      held >>>= 8;
      bits -= 8;
    }
  };
  put(CLEAR);
  let prefix = pixels[0] ?? 0;
  for (let at = 1; at < pixels.length; at += 1) {
    const pixel = pixels[at] ?? 0;
    const key = prefix * 256 + pixel;
    const known = table.get(key);
    if (known !== undefined) {
      prefix = known;
      continue;
    }
    put(prefix);
    if (next < MOST_CODES) {
      if (next === 2 ** size && size < 12) size += 1;
      table.set(key, next);
      next += 1;
    } else {
      put(CLEAR);
      table = new Map();
      size = 9;
      next = 258;
    }
    prefix = pixel;
  }
  put(prefix);
  if (next === 2 ** size && size < 12) size += 1;
  put(END);
  if (bits > 0) bytes.push(held & 255);
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 255) {
    const part = bytes.slice(at, at + 255);
    blocks.push(Uint8Array.from([part.length, ...part]));
  }
  blocks.push(Uint8Array.of(0));
  return blocks;
}

const word = (value: number): [number, number] => [value & 255, value >> 8];

/** Takes frames one by one; all must be of one size. */
export class GifWriter {
  readonly #parts: Uint8Array[] = [];
  readonly #delay: number;

  constructor(
    private readonly width: number,
    private readonly height: number,
    rate: number,
  ) {
    this.#delay = Math.max(2, Math.round(100 / rate)); // 1/100 s; players take less than 2 for 10
    const screen = [...new TextEncoder().encode('GIF89a'), ...word(width), ...word(height), 0x70, 0, 0];
    const again = [0x21, 0xff, 11, ...new TextEncoder().encode('NETSCAPE2.0'), 3, 1, 0, 0, 0];
    this.#parts.push(Uint8Array.from([...screen, ...again]));
  }

  add(frame: GifFrame): void {
    const grey = isGrey(frame);
    this.#parts.push(Uint8Array.from([0x21, 0xf9, 4, 0, ...word(this.#delay), 0, 0, 0x2c, 0, 0, 0, 0, ...word(this.width), ...word(this.height), 0x87]));
    this.#parts.push(palette(grey), Uint8Array.of(8), ...compressed(indices(frame, grey)));
  }

  end(): Blob {
    return new Blob([...this.#parts, Uint8Array.of(0x3b)] as BlobPart[], { type: 'image/gif' });
  }
}
