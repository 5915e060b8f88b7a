/** A whole slide on a canvas: levels of tiles, fetched as they come into sight, coarse ones under finer ones. */

export interface SlideLevel {
  instance_id: string;
  columns: number;
  rows: number;
  tile_columns: number;
  tile_rows: number;
  /** Width and height of a pixel; empty if unknown. */
  pixel_mm: number[];
  /** Frame, column and row of each tile, where not every one is there. */
  tiles: number[] | null;
}

export interface SlideState {
  /** CSS pixels per pixel of the finest level. */
  scale: number;
  /** Millimetres of a CSS pixel; null if unknown. */
  millimetres: number | null;
  /** Tiles in sight that are still on their way, and that could not be had. */
  waiting: number;
  failed: number;
  /** So much is in sight that the finest level there is would take too many tiles. */
  tooWide: boolean;
  /** What is in sight, as shares (0…1) of the whole: left, top, width, height. */
  sight: [number, number, number, number];
}

interface Tile {
  bitmap: ImageBitmap | null;
  failed: boolean;
  stop: AbortController | null;
  bytes: number;
}

const AT_ONCE = 6;
const MOST_IN_SIGHT = 240;
const BUDGET = 192 << 20;
const CLOSEST = 8; // CSS pixels a pixel

/** The frame of each tile of a level, by row × columns of tiles + column. */
export function frameOf(level: SlideLevel): (column: number, row: number) => number | undefined {
  const across = Math.ceil(level.columns / level.tile_columns);
  if (!level.tiles) return (column, row) => row * across + column + 1;
  const known = new Map<number, number>();
  for (let at = 0; at + 2 < level.tiles.length; at += 3) {
    known.set((level.tiles[at + 2] ?? 0) * across + (level.tiles[at + 1] ?? 0), level.tiles[at] ?? 0);
  }
  return (column, row) => known.get(row * across + column);
}

/** The coarsest level that shows no fewer pixels than the screen has; the finest where none does. */
export function levelFor(levels: readonly SlideLevel[], scale: number): number {
  const finest = levels[0];
  if (!finest) return 0;
  for (let at = levels.length - 1; at > 0; at -= 1) {
    if ((levels[at]?.columns ?? 0) >= finest.columns * scale * 0.75) return at;
  }
  return 0;
}

export interface Span {
  first: number;
  last: number;
}

/** The tiles of one direction that a stretch of the finest level touches. */
export function tilesIn(from: number, to: number, ratio: number, tile: number, count: number): Span {
  const most = Math.ceil(count / tile) - 1;
  return { first: Math.max(0, Math.floor((from * ratio) / tile)), last: Math.min(most, Math.ceil((to * ratio) / tile) - 1) };
}

/**
 * Where a tile's edges lie, in CSS pixels: on whole pixels of the screen, so that neighbours meet without a seam of the
 * ground between them. `ratio`: pixels of the screen for each.
 */
export const onPixel = (at: number, ratio: number): number => Math.round(at * ratio) / ratio;

/** A round length that is at most `most` millimetres. */
export function roundLength(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most));
  return ([5, 2, 1].find((one) => one * power <= most) ?? 1) * power;
}

export class SlideViewer {
  readonly #context: CanvasRenderingContext2D;
  readonly #tiles = new Map<string, Tile>();
  readonly #frames: ((column: number, row: number) => number | undefined)[];
  readonly #observer: ResizeObserver;
  #bytes = 0;
  #loading = 0;
  #scale = 0;
  #x = 0;
  #y = 0;
  #width = 0;
  #height = 0;
  #fitted = true;
  #drawing = 0;
  #closed = false;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly levels: readonly SlideLevel[],
    private readonly fetchTile: (instance: string, frame: number, signal: AbortSignal) => Promise<Blob>,
    private readonly onState: (state: SlideState) => void,
  ) {
    const context = canvas.getContext('2d', { alpha: false });
    if (!context) throw new Error('no canvas');
    this.#context = context;
    this.#frames = levels.map(frameOf);
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(canvas);
    this.#resize();
  }

  close(): void {
    this.#closed = true;
    this.#observer.disconnect();
    cancelAnimationFrame(this.#drawing);
    for (const tile of this.#tiles.values()) {
      tile.stop?.abort();
      tile.bitmap?.close();
    }
    this.#tiles.clear();
  }

  get #finest(): SlideLevel {
    return this.levels[0] as SlideLevel;
  }

  get #fitScale(): number {
    return Math.min(this.#width / this.#finest.columns, this.#height / this.#finest.rows) || 1;
  }

  fit(): void {
    this.#fitted = true;
    this.#scale = this.#fitScale;
    this.#x = (this.#width - this.#finest.columns * this.#scale) / 2;
    this.#y = (this.#height - this.#finest.rows * this.#scale) / 2;
    this.#draw();
  }

  pan(dx: number, dy: number): void {
    this.#fitted = false;
    this.#place(this.#x + dx, this.#y + dy, this.#scale);
  }

  /** Makes it larger about a place of the canvas (CSS pixels), its middle by default. */
  zoom(factor: number, x = this.#width / 2, y = this.#height / 2): void {
    const least = Math.min(1, this.#fitScale) / 2;
    const scale = Math.max(least, Math.min(Math.max(CLOSEST, this.#fitScale), this.#scale * factor));
    const grown = scale / this.#scale;
    this.#fitted = false;
    this.#place(x - (x - this.#x) * grown, y - (y - this.#y) * grown, scale);
  }

  /** Brings a place of the whole, as shares, into the middle. */
  centre(left: number, top: number): void {
    this.#fitted = false;
    this.#place(this.#width / 2 - left * this.#finest.columns * this.#scale, this.#height / 2 - top * this.#finest.rows * this.#scale, this.#scale);
  }

  retry(): void {
    for (const [key, tile] of this.#tiles) if (tile.failed) this.#tiles.delete(key);
    this.#draw();
  }

  /** Keeps at least the middle of the canvas on the slide. */
  #place(x: number, y: number, scale: number): void {
    this.#scale = scale;
    this.#x = Math.min(this.#width / 2, Math.max(this.#width / 2 - this.#finest.columns * scale, x));
    this.#y = Math.min(this.#height / 2, Math.max(this.#height / 2 - this.#finest.rows * scale, y));
    this.#draw();
  }

  #resize(): void {
    this.#width = this.canvas.clientWidth;
    this.#height = this.canvas.clientHeight;
    this.canvas.width = Math.max(1, Math.round(this.#width * devicePixelRatio));
    this.canvas.height = Math.max(1, Math.round(this.#height * devicePixelRatio));
    if (this.#fitted) this.fit();
    this.#paint();
  }

  #draw(): void {
    if (this.#drawing === 0 && !this.#closed) this.#drawing = requestAnimationFrame(() => this.#paint());
  }

  #spans(at: number): { columns: Span; rows: Span; count: number } {
    const level = this.levels[at] as SlideLevel;
    const ratio = level.columns / this.#finest.columns;
    const down = level.rows / this.#finest.rows;
    const columns = tilesIn(-this.#x / this.#scale, (this.#width - this.#x) / this.#scale, ratio, level.tile_columns, level.columns);
    const rows = tilesIn(-this.#y / this.#scale, (this.#height - this.#y) / this.#scale, down, level.tile_rows, level.rows);
    return { columns, rows, count: Math.max(0, columns.last - columns.first + 1) * Math.max(0, rows.last - rows.first + 1) };
  }

  #paint(): void {
    this.#drawing = 0;
    const ratio = devicePixelRatio;
    const context = this.#context;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = '#15181b';
    context.fillRect(0, 0, this.#width, this.#height);
    const wanted = levelFor(this.levels, this.#scale * ratio);
    const tooWide = this.#spans(wanted).count > MOST_IN_SIGHT;
    const seen = new Set<string>();
    let waiting = 0;
    let failed = 0;
    for (let at = this.levels.length - 1; at >= wanted; at -= 1) {
      const { columns, rows, count } = this.#spans(at);
      if (count > MOST_IN_SIGHT) continue;
      const asks = at === wanted || at === this.levels.length - 1;
      for (let row = rows.first; row <= rows.last; row += 1) {
        for (let column = columns.first; column <= columns.last; column += 1) {
          const state = this.#paintTile(at, column, row, seen, asks);
          if (state === 'failed') failed += 1;
          else if (state === 'waiting' && asks) waiting += 1;
        }
      }
    }
    this.#forget(seen);
    this.#fetchNext(seen);
    const { columns, rows, pixel_mm } = this.#finest;
    this.onState({
      scale: this.#scale,
      millimetres: pixel_mm[0] ? pixel_mm[0] / this.#scale : null,
      waiting,
      failed,
      tooWide,
      sight: [-this.#x / this.#scale / columns, -this.#y / this.#scale / rows, this.#width / this.#scale / columns, this.#height / this.#scale / rows],
    });
  }

  #paintTile(at: number, column: number, row: number, seen: Set<string>, asks: boolean): 'there' | 'waiting' | 'failed' | 'none' {
    const level = this.levels[at] as SlideLevel;
    const frame = this.#frames[at]?.(column, row);
    if (frame === undefined) return 'none';
    const key = `${at}/${frame}`;
    let tile = this.#tiles.get(key);
    if (!tile && !asks) return 'none';
    if (!tile) {
      tile = { bitmap: null, failed: false, stop: null, bytes: 0 };
      this.#tiles.set(key, tile);
    } else {
      this.#tiles.delete(key); // to the end: used last
      this.#tiles.set(key, tile);
    }
    seen.add(key);
    if (!tile.bitmap) return tile.failed ? 'failed' : 'waiting';
    const across = (this.#finest.columns / level.columns) * this.#scale;
    const down = (this.#finest.rows / level.rows) * this.#scale;
    const width = Math.min(level.tile_columns, level.columns - column * level.tile_columns); // what is beyond the matrix is filling
    const height = Math.min(level.tile_rows, level.rows - row * level.tile_rows);
    this.#context.imageSmoothingEnabled = across < 2;
    const [left, top] = [this.#x + column * level.tile_columns * across, this.#y + row * level.tile_rows * down];
    const edges = [left, top, left + width * across, top + height * down].map((at) => onPixel(at, devicePixelRatio));
    const [x = 0, y = 0, right = 0, bottom = 0] = edges;
    if (right > x && bottom > y) this.#context.drawImage(tile.bitmap, 0, 0, width, height, x, y, right - x, bottom - y);
    return 'there';
  }

  /** Ends what is asked for and out of sight, and lets go of the least recently used beyond the budget. */
  #forget(seen: ReadonlySet<string>): void {
    for (const [key, tile] of this.#tiles) {
      if (seen.has(key)) continue;
      if (!tile.bitmap) {
        tile.stop?.abort();
        this.#tiles.delete(key);
      } else if (this.#bytes > BUDGET) {
        tile.bitmap.close();
        this.#bytes -= tile.bytes;
        this.#tiles.delete(key);
      }
    }
  }

  #fetchNext(seen: ReadonlySet<string>): void {
    for (const key of seen) {
      if (this.#loading >= AT_ONCE) return;
      const tile = this.#tiles.get(key);
      if (tile && !tile.bitmap && !tile.failed && !tile.stop) void this.#fetch(key, tile);
    }
  }

  async #fetch(key: string, tile: Tile): Promise<void> {
    const [level = 0, frame = 0] = key.split('/').map(Number);
    const stop = new AbortController();
    tile.stop = stop;
    this.#loading += 1;
    try {
      const bitmap = await createImageBitmap(await this.fetchTile((this.levels[level] as SlideLevel).instance_id, frame, stop.signal));
      if (this.#closed || stop.signal.aborted) return bitmap.close();
      tile.bitmap = bitmap;
      tile.bytes = bitmap.width * bitmap.height * 4;
      this.#bytes += tile.bytes;
    } catch {
      tile.failed = !stop.signal.aborted;
    } finally {
      this.#loading -= 1;
      tile.stop = null;
      this.#draw();
    }
  }
}
