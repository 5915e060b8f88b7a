/** Shows one part of the reading room alone, for browser tests of it on a real server; never in a release. */

import '../app/styles/tokens.css';
import '../app/styles/base.css';
import '../app/styles/controls.css';
import '../app/styles/tables.css';
import { mount } from 'svelte';
import { series as seriesApi, studies } from '../app/api/endpoints';
import { preferredLanguage, setLanguage } from '../app/i18n/index.svelte';
import { startRouter } from '../app/state/router.svelte';
import { readSession } from '../app/state/session.svelte';
import Room from './Room.svelte';

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
const asked = new URLSearchParams(location.search);

await setLanguage(preferredLanguage(), false);
startRouter();
await readSession();
const study = await studies.read(asked.get('study') ?? '');
const wanted = asked.get('series') ?? study.series[0]?.id ?? '';
const { instances } = await seriesApi.read(wanted);
const place = Math.max(0, instances.findIndex((one) => one.id === asked.get('instance')));
mount(Room, { target, props: { study, series: study.series.find((one) => one.id === wanted), instances, place } });
