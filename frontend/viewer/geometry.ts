/** Where the picture stands in the pane: scale, place, and the way from one to the other. Lengths in CSS pixels. */

export interface Size {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

export interface View {
  /** CSS pixels per image column. */
  scale: number;
  /** The picture's upper left corner in the pane. */
  x: number;
  y: number;
}

export const SMALLEST = 0.02;
export const LARGEST = 40;

/** The whole picture, as large as the pane allows, in its middle. `aspect`: pixel height over width. */
export function fit(picture: Size, pane: Size, aspect: number): View {
  const height = picture.height * aspect;
  const scale = Math.min(pane.width / picture.width, pane.height / height);
  return centred(picture, pane, aspect, scale);
}

export function centred(picture: Size, pane: Size, aspect: number, scale: number): View {
  return {
    scale,
    x: (pane.width - picture.width * scale) / 2,
    y: (pane.height - picture.height * aspect * scale) / 2,
  };
}

/** Scales by a factor; what lies under `at` stays under it. */
export function zoomAt(view: View, factor: number, at: Point): View {
  const scale = Math.min(LARGEST, Math.max(SMALLEST, view.scale * factor));
  const ratio = scale / view.scale;
  return { scale, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio };
}

export function moved(view: View, dx: number, dy: number): View {
  return { ...view, x: view.x + dx, y: view.y + dy };
}

/** Keeps at least a part of the picture in the pane, so that it cannot be lost. */
export function kept(view: View, picture: Size, pane: Size, aspect: number): View {
  const margin = 40;
  const width = picture.width * view.scale;
  const height = picture.height * aspect * view.scale;
  return {
    scale: view.scale,
    x: Math.min(pane.width - margin, Math.max(margin - width, view.x)),
    y: Math.min(pane.height - margin, Math.max(margin - height, view.y)),
  };
}

/** The image column and row under a point of the pane. */
export function toPixel(view: View, aspect: number, at: Point): Point {
  return {
    x: Math.floor((at.x - view.x) / view.scale),
    y: Math.floor((at.y - view.y) / (view.scale * aspect)),
  };
}
