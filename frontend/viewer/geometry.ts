/**
 * Where the picture stands in the pane: scale, place, turn, and the way from one to the other. Lengths are in CSS
 * pixels; points of the image in columns and rows from the outer corner of its first pixel (PS3.3 C.18.6.1).
 */

export interface Size {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

/** What a picture is by its header. */
export interface Shape {
  columns: number;
  rows: number;
  /** Height of a pixel over its width. */
  aspect: number;
}

/** How a picture is turned: mirrored first (left and right change sides), then by `angle` degrees clockwise. */
export interface Turn {
  angle: number;
  mirrored: boolean;
}

export interface View extends Turn {
  /** CSS pixels per image column. */
  scale: number;
  /** Where the picture's centre lies in the pane. */
  x: number;
  y: number;
}

export const UPRIGHT: Turn = { angle: 0, mirrored: false };
export const SMALLEST = 0.02;
export const LARGEST = 40;
const MARGIN = 40; // of the picture, that stays in the pane
const QUARTER = 90;

/** Cosine and sine of a turn; exact at quarter turns. */
export function directionOf(angle: number): [number, number] {
  const quarters = angle / QUARTER;
  if (Number.isInteger(quarters)) return [[1, 0], [0, 1], [-1, 0], [0, -1]][((quarters % 4) + 4) % 4] as [number, number];
  const radians = (angle * Math.PI) / 180;
  return [Math.cos(radians), Math.sin(radians)];
}

/** The room that a turned picture takes, per CSS pixel of a column. */
function extent({ columns, rows, aspect }: Shape, { angle }: Turn): Size {
  const [cos, sin] = directionOf(angle).map(Math.abs) as [number, number];
  const height = rows * aspect;
  return { width: columns * cos + height * sin, height: columns * sin + height * cos };
}

/** The whole picture, as large as the pane allows, in its middle. */
export function fit(shape: Shape, pane: Size, turn: Turn = UPRIGHT): View {
  const room = extent(shape, turn);
  return centred(pane, Math.min(pane.width / room.width, pane.height / room.height), turn);
}

export function centred(pane: Size, scale: number, { angle, mirrored }: Turn = UPRIGHT): View {
  return { scale, x: pane.width / 2, y: pane.height / 2, angle, mirrored };
}

/** Scales by a factor; what lies under `at` stays under it. */
export function zoomAt(view: View, factor: number, at: Point): View {
  const scale = Math.min(LARGEST, Math.max(SMALLEST, view.scale * factor));
  const ratio = scale / view.scale;
  return { ...view, scale, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio };
}

export function moved(view: View, dx: number, dy: number): View {
  return { ...view, x: view.x + dx, y: view.y + dy };
}

/** Turns by `angle` degrees clockwise as seen, or mirrors left and right as seen; the pane's middle stays. */
export function turned(view: View, by: { angle?: number; mirror?: boolean }, pane: Size): View {
  const middle = { x: pane.width / 2, y: pane.height / 2 };
  let { x, y, angle, mirrored } = view;
  if (by.mirror) {
    x = 2 * middle.x - x;
    angle = -angle;
    mirrored = !mirrored;
  }
  const [cos, sin] = directionOf(by.angle ?? 0);
  const [dx, dy] = [x - middle.x, y - middle.y];
  angle = (((angle + (by.angle ?? 0)) % 360) + 360) % 360;
  return { ...view, x: middle.x + dx * cos - dy * sin, y: middle.y + dx * sin + dy * cos, angle, mirrored };
}

/** Keeps at least a part of the picture in the pane, so that it cannot be lost. */
export function kept(view: View, shape: Shape, pane: Size): View {
  const room = extent(shape, view);
  const within = (at: number, length: number, most: number): number => {
    const half = (length * view.scale) / 2;
    return Math.min(most - MARGIN + half, Math.max(MARGIN - half, at));
  };
  return { ...view, x: within(view.x, room.width, pane.width), y: within(view.y, room.height, pane.height) };
}

/** Moves a picture to the left or right edge of the pane. */
export function atEdge(view: View, shape: Shape, pane: Size, edge: 'left' | 'right'): View {
  const half = (extent(shape, view).width * view.scale) / 2;
  return { ...view, x: edge === 'left' ? half : pane.width - half };
}

/** The six numbers that bring columns and rows to the pane (HTML canvas: a, b, c, d, e, f). */
export function matrixOf(view: View, { columns, rows, aspect }: Shape): [number, number, number, number, number, number] {
  const [cos, sin] = directionOf(view.angle);
  const across = view.mirrored ? -view.scale : view.scale;
  const down = view.scale * aspect;
  const [a, b, c, d] = [across * cos, across * sin, -down * sin, down * cos];
  return [a, b, c, d, view.x - (a * columns + c * rows) / 2, view.y - (b * columns + d * rows) / 2];
}

export function toPane(view: View, shape: Shape, at: Point): Point {
  const [a, b, c, d, e, f] = matrixOf(view, shape);
  return { x: a * at.x + c * at.y + e, y: b * at.x + d * at.y + f };
}

/** Columns and rows, with their parts, under a point of the pane. */
export function toImage(view: View, shape: Shape, at: Point): Point {
  const [a, b, c, d, e, f] = matrixOf(view, shape);
  const [x, y, area] = [at.x - e, at.y - f, a * d - b * c];
  return { x: (d * x - c * y) / area, y: (a * y - b * x) / area };
}
