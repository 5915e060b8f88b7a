/** A sheet of pictures for paper: pages with a head each, black on white, in the page's own units (mm). */

import { MARGINS, ON_PAPER, type Framing } from '$viewer/contents/framing';
import type { Size } from '$viewer/geometry';
import { SNAPSHOT_WRITTEN } from '$viewer/screen';

export interface PrintOptions {
  paper: 'A4' | 'Letter';
  landscape: boolean;
  perPage: number;
  trueSize: boolean;
}

export interface PrintCell {
  address: string;
  caption: string;
  width: number;
  height: number;
  /** Size on paper in mm where it is printed true to size. */
  size: [number, number] | null;
}

export interface PrintHead {
  left: string[];
  right: string[];
}

const PAPER = { A4: [210, 297], Letter: [215.9, 279.4] } as const;
const MARGIN = 10;
const HEAD = 16;
const FOOT = 6;
const GRIDS: Record<number, [number, number]> = { 1: [1, 1], 2: [1, 2], 4: [2, 2], 6: [2, 3], 9: [3, 3], 12: [3, 4], 16: [4, 4], 20: [4, 5] };
export const PER_PAGE = Object.keys(GRIDS).map(Number);

export interface Layout {
  width: number;
  height: number;
  columns: number;
  rows: number;
  /** Of a cell for its picture, without its caption. */
  cell: [number, number];
}

const CAPTION = 7;
const LETTERS = { large: 3.2, small: 2.4 } as const; // mm that can be read on paper, and where pictures are small
const SMALL_CELL = 60;
const LABEL_PX = 13; // of a mark's text on a screen
const GAP = 3;

export function layOut({ paper, landscape, perPage }: PrintOptions): Layout {
  const [short, long] = PAPER[paper];
  const [width, height] = landscape ? [long, short] : [short, long];
  const [few, many] = GRIDS[perPage] ?? [1, 1];
  const [columns, rows] = landscape ? [many, few] : [few, many];
  const across = (width - 2 * MARGIN - (columns - 1) * GAP) / columns;
  const down = (height - 2 * MARGIN - HEAD - FOOT - (rows - 1) * GAP) / rows - CAPTION;
  return { width, height, columns, rows, cell: [across, down] };
}

/** Whether a picture of a size in mm fits into a cell at 1:1. */
export function fitsTrue(layout: Layout, size: readonly [number, number]): boolean {
  return size[0] <= layout.cell[0] + 0.01 && size[1] <= layout.cell[1] + 0.01;
}

/**
 * How a picture is framed for its cell: with letters on margins, that can be read on paper. `millimetres`: the width of a
 * pixel where it is wanted true to size; what is said of it is null if it does not fit even with the letters on it.
 */
export function framingFor(picture: Size, millimetres: number | null, layout: Layout): { framing: Framing; millimetres: number | null } {
  const [across, down] = layout.cell;
  const em = Math.min(across, down) < SMALL_CELL ? LETTERS.small : LETTERS.large;
  const margins = [2 * MARGINS.side * em, 2 * MARGINS.end * em] as const;
  if (millimetres !== null) {
    const size = [picture.width * millimetres, picture.height * millimetres] as const;
    const framing = { ...ON_PAPER, em: em / millimetres };
    if (fitsTrue(layout, [size[0] + margins[0], size[1] + margins[1]])) return { framing, millimetres };
    if (fitsTrue(layout, size)) return { framing: { ...framing, inside: true }, millimetres };
  }
  const scale = Math.min((across - margins[0]) / picture.width, (down - margins[1]) / picture.height);
  return { framing: { ...ON_PAPER, em: em / scale }, millimetres: null };
}

/** As on how many pixels of a screen marks are drawn, so that their texts can be read on paper. */
export const writtenOn = ({ cell }: Layout): number => Math.min(SNAPSHOT_WRITTEN, Math.round((Math.max(...cell) * LABEL_PX) / LETTERS.small));

function text(kind: string, className: string, lines: readonly string[]): HTMLElement {
  const element = document.createElement(kind);
  element.className = className;
  for (const line of lines.filter(Boolean)) {
    const row = document.createElement('div');
    row.textContent = line;
    element.append(row);
  }
  return element;
}

/** Builds the sheet's pages beside the page that is looked at, which print alone. Returns what takes them away. */
export function buildSheet(cells: readonly PrintCell[], head: PrintHead, options: PrintOptions, pageText: (page: number, pages: number) => string): () => void {
  const layout = layOut(options);
  const root = document.createElement('div');
  root.className = 'print-sheet';
  const pages = Math.ceil(cells.length / options.perPage);
  for (let page = 0; page < pages; page += 1) {
    const section = document.createElement('section');
    section.className = 'print-page';
    section.style.width = `${layout.width - 2 * MARGIN}mm`;
    section.style.height = `${layout.height - 2 * MARGIN - 0.5}mm`;
    const top = document.createElement('header');
    top.append(text('div', 'print-left', head.left), text('div', 'print-right', head.right));
    const grid = document.createElement('div');
    grid.className = 'print-grid';
    grid.style.gridTemplateColumns = `repeat(${layout.columns}, ${layout.cell[0]}mm)`;
    for (const cell of cells.slice(page * options.perPage, (page + 1) * options.perPage)) {
      const figure = document.createElement('figure');
      const image = document.createElement('img');
      image.src = cell.address;
      image.alt = cell.caption;
      const scale = cell.size ? 0 : Math.min(layout.cell[0] / cell.width, layout.cell[1] / cell.height);
      image.style.width = `${cell.size ? cell.size[0] : cell.width * scale}mm`;
      image.style.height = `${cell.size ? cell.size[1] : cell.height * scale}mm`;
      const box = document.createElement('div');
      box.className = 'print-box';
      box.style.height = `${layout.cell[1]}mm`;
      box.append(image);
      figure.append(box, text('figcaption', '', [cell.caption]));
      grid.append(figure);
    }
    section.append(top, grid, text('footer', '', [pageText(page + 1, pages)]));
    root.append(section);
  }
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    @page { size: ${layout.width}mm ${layout.height}mm; margin: ${MARGIN}mm; }
    .print-sheet { display: none; }
    @media print {
      html, body { height: auto !important; background: #fff !important; overflow: visible !important; }
      body > *:not(.print-sheet) { display: none !important; }
      .print-sheet { display: block; color: #000; background: #fff; font: 9pt/1.3 system-ui, sans-serif; }
      .print-page { display: flex; flex-direction: column; overflow: hidden; break-after: page; }
      .print-page:last-child { break-after: auto; }
      .print-page > header { display: flex; justify-content: space-between; gap: 8mm; flex: none; height: ${HEAD}mm; overflow: hidden; }
      .print-left > div:first-child { font-weight: 700; font-size: 11pt; }
      .print-right { text-align: right; }
      .print-grid { display: grid; gap: ${GAP}mm; justify-content: center; flex: 1; align-content: start; }
      .print-box { display: grid; place-items: center; }
      .print-sheet img { max-width: none; image-rendering: auto; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
      .print-sheet figure { margin: 0; }
      .print-sheet figcaption { height: ${CAPTION}mm; font-size: 7.5pt; line-height: 1.2; text-align: center; overflow: hidden; }
      .print-page > footer { flex: none; height: ${FOOT}mm; font-size: 7.5pt; display: flex; justify-content: flex-end; align-items: end; }
    }`);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  document.body.append(root);
  return () => {
    root.remove();
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet);
  };
}
