/** What stands around the pictures and above them. It comes behind the first picture, which does without. */

export { default as RoomActions } from './RoomActions.svelte';
export { default as RoomDialogs } from './RoomDialogs.svelte';
export { default as SeriesStrip } from './SeriesStrip.svelte';
export { default as Toolbar } from './Toolbar.svelte';
