/** Measuring and noting, loaded once the first picture is there. */

export { default as MarkDialogs } from './MarkDialogs.svelte';
export { default as MarkPanel } from './MarkPanel.svelte';
export { default as MarkTools } from './MarkTools.svelte';
export { default as PaneMarks } from './PaneMarks.svelte';
export { markKey, pictureIn } from './panes';
export { markKeys } from './shortcuts';
export { MarkStore } from './store.svelte';
export { keepMeasures } from './volumes';
export { Whereabouts } from './whereabouts.svelte';
