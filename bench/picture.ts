/** The figures of a run as a picture: a bar each, its spread, and a mark where the target is. */
import type { RunRecord } from './record';
import { showFigure, type Verdict } from './summary';

const WIDTH = 860;
const LABELS = 330;
/** Between the bars and the right edge stands the figure. */
const FIGURES = 170;
const BARS = WIDTH - LABELS - FIGURES;
const TOP = 100;
const ROW = 38;
const BAR = 14;
const BOTTOM = 16;
/** The end of the scale; a longer bar is cut there. */
const SCALE = 2;
const TICKS = [0, 0.5, 1, 1.5, 2];

interface Colours {
  readonly back: string;
  readonly text: string;
  readonly faint: string;
  readonly line: string;
  readonly good: string;
  readonly bad: string;
}

const LIGHT: Colours = {
  back: '#ffffff',
  text: '#1f2328',
  faint: '#59636e',
  line: '#d1d9e0',
  good: '#2f81c7',
  bad: '#c9772b',
};

const DARK: Colours = {
  back: '#0d1117',
  text: '#f0f6fc',
  faint: '#9198a1',
  line: '#3d444d',
  good: '#4c9be8',
  bad: '#e0954a',
};

/** A background of its own: the page's may be light where the reader's system is dark. */
const STYLE = [
  'text { font: 13px system-ui, sans-serif; }',
  '.title { font-size: 16px; font-weight: 600; }',
  '.faint { font-size: 11px; }',
  '.spread { stroke-width: 1.5; }',
  '.target { stroke-width: 3; }',
  rules(LIGHT),
  `@media (prefers-color-scheme: dark) { ${rules(DARK)} }`,
].join('\n');

function rules({ back, text, faint, line, good, bad }: Colours): string {
  return [
    `.back { fill: ${back}; }`,
    `text { fill: ${text}; }`,
    `.faint { fill: ${faint}; }`,
    `.line { stroke: ${line}; }`,
    `.one { stroke: ${faint}; }`,
    `.good { fill: ${good}; }`,
    `.plain { fill: ${faint}; }`,
    `.bad { fill: ${bad}; }`,
    `.spread, .target { stroke: ${text}; }`,
  ].join(' ');
}

export function picture(record: Omit<RunRecord, 'parts'>): string {
  const { verdicts } = record;
  const height = TOP + verdicts.length * ROW + BOTTOM;
  const bottom = height - BOTTOM;
  const title = `tls-client-cert, Node ${record.node}, OpenSSL ${record.openssl}`;
  const scale = TICKS.flatMap((tick) => [
    `<line class="${tick === 1 ? 'one' : 'line'}" x1="${at(tick)}" x2="${at(tick)}" y1="${TOP - 8}" y2="${bottom}"/>`,
    `<text class="faint" text-anchor="middle" x="${at(tick)}" y="${TOP - 14}">${tick}</text>`,
  ]);
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>\n${STYLE}\n</style>`,
    `<rect class="back" width="${WIDTH}" height="${height}"/>`,
    `<text class="title" x="16" y="28">${escaped(title)}</text>`,
    '<text class="faint" x="16" y="46">Shorter is better; 1 is as much as what it is measured beside. What is no ratio is drawn as a share of its target.</text>',
    '<text class="faint" x="16" y="62">Thick mark: the target. Thin line: the middle half of the rounds. CPU time of the client where nothing else is said.</text>',
    ...scale,
    ...verdicts.map((verdict, i) => row(verdict, TOP + i * ROW)),
    '</svg>',
  ].join('\n')}\n`;
}

function row(verdict: Verdict, top: number): string {
  const { work, beside, unit, measured, atMost, reached } = verdict;
  // What is no ratio is drawn as a share of its target.
  const size = unit === 'times' ? 1 : (atMost ?? measured.median);
  const [median, low, high] = [measured.median, measured.low, measured.high].map((it) => it / size);
  const middle = top + ROW / 2;
  const reference = beside === '' ? `target ${atMost} ${unit}` : `beside ${beside}`;
  return [
    '<g>',
    `<text x="16" y="${middle - 2}">${escaped(work)}</text>`,
    `<text class="faint" x="16" y="${middle + 12}">${escaped(reference)}</text>`,
    `<rect class="${reached === null ? 'plain' : reached ? 'good' : 'bad'}" x="${at(0)}" y="${middle - BAR / 2}" width="${round(at(median) - at(0))}" height="${BAR}"/>`,
    `<line class="spread" x1="${at(low)}" x2="${at(high)}" y1="${middle}" y2="${middle}"/>`,
    ...(atMost === undefined ? [] : [mark(atMost / size, middle)]),
    `<text x="${WIDTH - FIGURES + 16}" y="${middle + 5}">${escaped(showFigure(measured, unit))}</text>`,
    '</g>',
  ].join('');
}

function mark(value: number, middle: number): string {
  const x = at(value);
  return `<line class="target" x1="${x}" x2="${x}" y1="${middle - BAR}" y2="${middle + BAR}"/>`;
}

/** Where a value lies on the scale. */
function at(value = 0): number {
  return round(LABELS + (Math.min(Math.max(value, 0), SCALE) / SCALE) * BARS);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
