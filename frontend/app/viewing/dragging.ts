/** A series that is dragged from the strip into a pane: its id travels as a type of our own. */

const KIND = 'application/x-radrelay-series';

export function startDrag(event: DragEvent, seriesId: string): void {
  event.dataTransfer?.setData(KIND, seriesId);
  if (event.dataTransfer) event.dataTransfer.effectAllowed = 'copy';
}

/** The series that is dropped; while it is still over the pane browsers tell only that there is one (an empty text). */
export function draggedSeries(event: DragEvent, hovering = false): string | null {
  if (!event.dataTransfer?.types.includes(KIND)) return null;
  return hovering ? '' : event.dataTransfer.getData(KIND);
}
