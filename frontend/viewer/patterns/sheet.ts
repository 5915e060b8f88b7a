/** A picture of greys 0 to 255, a number for each device pixel: what is drawn on it is exact, with no smoothed edges. */

/** Letters of five by seven, a row in five bits. */
const GLYPHS: Readonly<Record<string, readonly number[]>> = {
  A: [0x0e, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11],
  C: [0x0e, 0x11, 0x10, 0x10, 0x10, 0x11, 0x0e],
  I: [0x0e, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0e],
  L: [0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1f],
  N: [0x11, 0x19, 0x15, 0x13, 0x11, 0x11, 0x11],
  O: [0x0e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e],
  Q: [0x0e, 0x11, 0x11, 0x11, 0x15, 0x12, 0x0d],
  R: [0x1e, 0x11, 0x11, 0x1e, 0x14, 0x12, 0x11],
  T: [0x1f, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04],
  U: [0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e],
  X: [0x11, 0x11, 0x0a, 0x04, 0x0a, 0x11, 0x11],
  Y: [0x11, 0x11, 0x0a, 0x04, 0x04, 0x04, 0x04],
};
export const GLYPH = { width: 5, height: 7, advance: 6 };

export class Sheet {
  readonly values: Uint8Array;

  constructor(
    readonly columns: number,
    readonly rows: number,
    ground: number,
  ) {
    this.values = new Uint8Array(columns * rows).fill(ground);
  }

  at(x: number, y: number): number {
    return this.values[y * this.columns + x] ?? 0;
  }

  /** Fills a rectangle; what lies outside is left out. */
  fill(x: number, y: number, width: number, height: number, grey: number): void {
    const [left, right] = [Math.max(0, Math.round(x)), Math.min(this.columns, Math.round(x + width))];
    const [top, bottom] = [Math.max(0, Math.round(y)), Math.min(this.rows, Math.round(y + height))];
    if (right <= left) return;
    for (let row = top; row < bottom; row += 1) this.values.fill(grey, row * this.columns + left, row * this.columns + right);
  }

  /** Fills a rectangle with what a function of the place in it (0 to 1, 0 to 1) says. */
  shade(x: number, y: number, width: number, height: number, grey: (across: number, down: number) => number): void {
    for (let row = 0; row < Math.round(height); row += 1) {
      for (let column = 0; column < Math.round(width); column += 1) {
        const value = grey(column / (Math.round(width) - 1 || 1), row / (Math.round(height) - 1 || 1));
        this.fill(Math.round(x) + column, Math.round(y) + row, 1, 1, value);
      }
    }
  }

  /** Draws the edge of a rectangle, inwards. */
  frame(x: number, y: number, width: number, height: number, thickness: number, grey: number): void {
    this.fill(x, y, width, thickness, grey);
    this.fill(x, y + height - thickness, width, thickness, grey);
    this.fill(x, y, thickness, height, grey);
    this.fill(x + width - thickness, y, thickness, height, grey);
  }

  /** Draws bars of `thickness` pixels and gaps as thick: upright ones, or lying ones. */
  bars(x: number, y: number, side: number, thickness: number, upright: boolean, dark: number, bright: number): void {
    const [left, top] = [Math.round(x), Math.round(y)];
    this.fill(left, top, side, side, dark);
    for (let at = 0; at < Math.round(side); at += 2 * thickness) {
      const length = Math.min(thickness, Math.round(side) - at);
      if (upright) this.fill(left + at, top, length, Math.round(side), bright);
      else this.fill(left, top + at, Math.round(side), length, bright);
    }
  }

  disc(x: number, y: number, radius: number, grey: number): void {
    for (let row = -Math.ceil(radius); row <= radius; row += 1) {
      const half = Math.sqrt(Math.max(0, radius * radius - row * row));
      this.fill(x - half, y + row, 2 * half, 1, grey);
    }
  }

  /** Writes capitals, each pixel of a letter `size` pixels wide; `grey` tells that of the letter at a place. */
  write(text: string, x: number, y: number, size: number, grey: (place: number) => number): void {
    [...text].forEach((letter, place) => {
      (GLYPHS[letter] ?? []).forEach((bits, row) => {
        for (let column = 0; column < GLYPH.width; column += 1) {
          if ((bits >> (GLYPH.width - 1 - column)) & 1) {
            const left = Math.round(x) + (place * GLYPH.advance + column) * size;
            this.fill(left, Math.round(y) + row * size, size, size, grey(place));
          }
        }
      });
    });
  }
}
