/**
 * A chart of the last fifteen minutes, drawn by uPlot. What it shows is also said in words.
 *
 * @module
 */

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { HistoryColumn } from "../../../wire/stats.ts";
import { formatTime } from "../format.ts";
import { html, type VNode } from "../html.ts";
import { highest, KEPT_SECONDS, latest, type Samples } from "../samples.ts";

/** One line of a chart. */
export interface Line {
  readonly column: HistoryColumn;
  readonly label: string;
}

/** What a chart shows. */
export interface ChartProps {
  readonly title: string;
  readonly samples: Samples;
  /** One or two: the first is drawn in the accent colour, the second dashed. */
  readonly lines: readonly Line[];
  /** Formats a value. */
  readonly format: (value: number) => string;
  /** Formats a value for the axis, in few characters; `format` by default. */
  readonly formatAxis?: (value: number) => string;
  /** Whether the axis is divided by powers of two, as sizes are. */
  readonly isSize?: boolean;
  /** The axis goes up to this at least. */
  readonly atLeast: number;
  /** The scheme of colours; the chart is made anew when it changes. */
  readonly scheme: string;
}

const HEIGHT = 132;
const AXIS_WIDTH = 58;

/** The charts show so much time at least, in seconds; below the second, their times have seconds. */
const LEAST_SECONDS = 120;
const SECONDS_SHOWN = 300;

/** So few samples are shown as points, too: a single one makes no line. */
const FEW = 20;

/** Steps of an axis of sizes. */
const POWERS = Array.from({ length: 50 }, (_, power) => 2 ** power);

/** A chart, with its last and highest values beside the title. */
export function Chart(props: ChartProps): VNode {
  const { title, samples, lines, format } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [pointed, setPointed] = useState<number | undefined>(undefined);
  useEffect(() => {
    const element = place.current!;
    const made = new uPlot(optionsOf(props, element, setPointed), dataOf(props), element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [props.scheme]);
  useEffect(() => plot.current?.setData(dataOf(props)), [samples]);
  const at = pointed === undefined ? undefined : samples.times[pointed];
  const said = lines.map(({ column, label }) => {
    const value = at === undefined ? latest(samples, column) : samples.columns[column][pointed!] ?? undefined;
    return { label, value: value === undefined ? "–" : format(value), most: highest(samples, column) };
  });
  const named = (label: string) => lines.length > 1 ? `${label} ` : "";
  const most = said.map(({ label, most }) => most === undefined ? "" : `${named(label)}${format(most)}`).join(
    ", ",
  );
  return html`
    <figure class="chart">
      <figcaption>
        <span class="title">${title}</span>
        <span class="legend">
          ${said.map(({ label, value }, index) =>
            html`
              <span key=${label}><i class=${`line line-${index}`} aria-hidden="true"></i>${lines.length > 1
                ? `${label} `
                : ""}<b>${value}</b></span>
            `
          )}
        </span>
      </figcaption>
      <div class="plot" ref=${place} role="img" aria-label=${`${title} over the last fifteen minutes, or since the start; highest: ${most}`}></div>
      <p class="muted under">${at === undefined
        ? `Highest: ${most || "–"}`
        : `At ${formatTime(new Date(at * 1000))}`}</p>
    </figure>
  `;
}

function dataOf({ samples, lines }: ChartProps): uPlot.AlignedData {
  return [
    samples.times,
    ...lines.map(({ column }) => samples.columns[column]),
  ] as unknown as uPlot.AlignedData;
}

function optionsOf(
  props: ChartProps,
  place: HTMLElement,
  point: (index: number | undefined) => void,
): uPlot.Options {
  const { lines, format, formatAxis = format, atLeast, isSize } = props;
  const style = getComputedStyle(place);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const font = `11px ${style.fontFamily}`;
  const axis = {
    stroke: colour("muted"),
    font,
    ticks: { show: false },
    grid: { stroke: colour("grid"), width: 1 },
  };
  return {
    width: Math.max(1, place.clientWidth),
    height: HEIGHT,
    padding: [8, 28, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: "time" }, points: { size: 6 } },
    hooks: {
      setCursor: [(plot: uPlot) => point(plot.cursor.idx ?? undefined)],
    },
    scales: {
      x: {
        time: true,
        range: (_plot: uPlot, min: number, max: number) => {
          const end = Number.isFinite(max) ? max : Date.now() / 1000;
          // Of a young server there is less to show than fifteen minutes.
          return [Math.max(end - KEPT_SECONDS, Math.min(min ?? end, end - LEAST_SECONDS)), end];
        },
      },
      y: { range: (_plot: uPlot, _min: number, max: number) => [0, 1.1 * Math.max(atLeast, max || 0)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 24,
        space: 70,
        values: (_plot: uPlot, times: number[]) =>
          times.map((time) => timeOf(time, times.at(-1)! - times[0])),
      },
      {
        ...axis,
        size: AXIS_WIDTH,
        space: 34,
        incrs: isSize ? POWERS : undefined,
        values: (_plot: uPlot, values: number[]) => values.map(formatAxis),
      },
    ],
    series: [
      {},
      ...lines.map((_line, index) => ({
        stroke: colour(index === 0 ? "accent" : "second"),
        fill: index === 0 ? colour("accent-fill") : undefined,
        dash: index === 0 ? undefined : [4, 3],
        width: 1.5,
        points: { show: (plot: uPlot) => plot.data[0].length < FEW, size: 4 },
        spanGaps: false,
      })),
    ],
  };
}

/** A time on the axis, which is `seconds` long. */
function timeOf(time: number, seconds: number): string {
  const timeStyle = seconds < SECONDS_SHOWN ? "medium" : "short";
  return new Date(time * 1000).toLocaleTimeString("en-GB", { timeStyle });
}
