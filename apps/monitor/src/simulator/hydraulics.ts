// The network as EPANET computes it: heads and flows at a moment, tanks that fill and empty, chlorine that decays on the
// way. Time goes on in steps of at most five minutes; demands follow the hour and wander a little, each offtake its own way.
//
// 1. The network file is all there is to know; names stand in its comments.
// 2. `advanceTo` runs hydraulics and quality in step. Nothing is saved by the engine, so it may run for years.
// 3. What is broken is broken in the model: a leak is an emitter, a trip closes a pump and puts its controls out of force.
//    So the whole network answers, as it would.
// Invariant: between two calls of `advanceTo` all values are those of one moment.

import { readFile } from 'node:fs/promises';
import {
  CountType,
  InitHydOption,
  LinkProperty,
  LinkType,
  type Model,
  NodeProperty,
  NodeType,
  ObjectType,
  Project,
  TimeParameter,
  Workspace,
} from './epanet.ts';

const STEP_SECONDS_MAX = 300;
const DURATION_SECONDS = 20 * 365 * 86_400;
const KPA_A_METRE = 9.80665;
const DAY_SECONDS = 86_400;
/** The utility's clock, ahead of UTC. */
const ZONE_SECONDS = 2 * 3600;
const CHLORINE_AT_START = 0.8;

export interface Node {
  readonly id: string;
  readonly kind: 'junction' | 'source' | 'tank';
  /** What follows the semicolon in the network file. */
  readonly comment: string;
  readonly position: readonly [longitude: number, latitude: number];
  readonly baseDemand: number;
  /** Of tanks, in metres and megalitres. */
  readonly levels: { readonly min: number; readonly max: number; readonly capacityMl: number } | undefined;
}

export interface Link {
  readonly id: string;
  readonly kind: 'pipe' | 'pump';
  readonly comment: string;
  readonly from: string;
  readonly to: string;
  readonly diameterMm: number;
  readonly lengthM: number;
  readonly line: readonly (readonly [number, number])[];
}

export class Hydraulics {
  readonly nodes: readonly Node[];
  readonly links: readonly Link[];
  readonly #model: Model;
  readonly #startAt: number;
  readonly #nodeIndex: ReadonlyMap<string, number>;
  readonly #linkIndex: ReadonlyMap<string, number>;
  #seconds = 0;

  private constructor(model: Model, startAt: number) {
    this.#model = model;
    this.#startAt = startAt;
    this.nodes = readNodes(model);
    this.links = readLinks(model);
    this.#nodeIndex = new Map(this.nodes.map(({ id }) => [id, model.getNodeIndex(id)]));
    this.#linkIndex = new Map(this.links.map(({ id }) => [id, model.getLinkIndex(id)]));
  }

  /** `startAt` in milliseconds since 1970. Throws where the file is no network. */
  static async open(startAt: number, file: URL = new URL('network.inp', import.meta.url)): Promise<Hydraulics> {
    const workspace = new Workspace();
    await workspace.loadModule();
    workspace.writeFile('network.inp', await readFile(file));
    const model = new Project(workspace);
    model.open('network.inp', 'report', 'output');
    model.setTimeParameter(TimeParameter.Duration, DURATION_SECONDS);
    const hydraulics = new Hydraulics(model, startAt);
    hydraulics.#begin();
    return hydraulics;
  }

  /** Milliseconds since 1970. */
  get now(): number {
    return this.#startAt + this.#seconds * 1000;
  }

  /** To whole seconds. Going back is not possible. */
  advanceTo(time: number): void {
    const target = Math.floor((time - this.#startAt) / 1000);
    while (this.#seconds < target) {
      const step = Math.min(STEP_SECONDS_MAX, target - this.#seconds);
      this.#model.setTimeParameter(TimeParameter.HydStep, step);
      this.#model.setTimeParameter(TimeParameter.QualStep, step);
      // Shorter where a tank is full or a control acts before.
      const gone = this.#model.nextH();
      this.#model.nextQ();
      if (gone === 0) throw new Error('the simulation has come to the end of its time');
      this.#seconds += gone;
      this.#compute();
    }
  }

  /** kPa */
  pressure(node: string): number {
    return this.#model.getNodeValue(this.#node(node), NodeProperty.Pressure) * KPA_A_METRE;
  }

  /** Share of what the tank holds, 0 to 1. */
  level(tank: string): number {
    const { levels } = this.nodes.find(({ id }) => id === tank) ?? {};
    if (levels === undefined) throw new RangeError(`${tank} is no tank`);
    const metres = this.#model.getNodeValue(this.#node(tank), NodeProperty.Pressure);
    return (metres - levels.min) / (levels.max - levels.min);
  }

  /** mg/l of free chlorine */
  chlorine(node: string): number {
    return this.#model.getNodeValue(this.#node(node), NodeProperty.Quality);
  }

  /** l/s, negative against the direction of the link. */
  flow(link: string): number {
    return this.#model.getLinkValue(this.#link(link), LinkProperty.Flow);
  }

  /** A hole through which so many l/s flow at the pressure of now; 0 closes it. */
  leak(node: string, litresPerSecond: number): void {
    const index = this.#node(node);
    const metres = Math.max(1, this.#model.getNodeValue(index, NodeProperty.Pressure));
    this.#model.setNodeValue(index, NodeProperty.Emitter, litresPerSecond / Math.sqrt(metres));
  }

  /** The pump stands still, whatever its controls say, until it is put into service again. */
  trip(pump: string, isTripped: boolean): void {
    const index = this.#link(pump);
    for (let control = 1; control <= this.#model.getCount(CountType.ControlCount); control += 1) {
      if (this.#model.getControl(control).linkIndex === index) {
        this.#model.setControlEnabled(control, isTripped ? 0 : 1);
      }
    }
    this.#model.setLinkValue(index, LinkProperty.Status, isTripped ? 0 : 1);
  }

  #begin(): void {
    for (const { id, kind } of this.nodes) {
      if (kind !== 'source') this.#model.setNodeValue(this.#node(id), NodeProperty.Initqual, CHLORINE_AT_START);
    }
    this.#model.openH();
    this.#model.initH(InitHydOption.InitFlow);
    this.#model.openQ();
    this.#model.initQ(InitHydOption.NoSave);
    this.#compute();
  }

  #compute(): void {
    const clock = this.now / 1000 + ZONE_SECONDS;
    for (const [index, { id, baseDemand }] of this.nodes.entries()) {
      if (baseDemand > 0) {
        this.#model.setNodeValue(this.#node(id), NodeProperty.BaseDemand, baseDemand * demandAt(clock, index));
      }
    }
    this.#model.runH();
    this.#model.runQ();
  }

  #node(id: string): number {
    const index = this.#nodeIndex.get(id);
    if (index === undefined) throw new RangeError(`the network has no node ${id}`);
    return index;
  }

  #link(id: string): number {
    const index = this.#linkIndex.get(id);
    if (index === undefined) throw new RangeError(`the network has no link ${id}`);
    return index;
  }
}

/** The demand of an offtake as a share of its mean: a morning and an evening peak, earlier here and later there. */
export function demandAt(clockSeconds: number, offtake: number): number {
  const hour = (((clockSeconds / 3600 + Math.sin(offtake * 2.3) * 0.6) % 24) + 24) % 24;
  const peak = (at: number, width: number): number => Math.exp(-(((hour - at) / width) ** 2));
  const daily = 0.62 + 0.55 * peak(7.2, 2.2) + 0.6 * peak(18.7, 2.6) + 0.12 * peak(13, 3);
  const days = clockSeconds / DAY_SECONDS;
  const wander = 0.03 * Math.sin(days * 37 + offtake) + 0.02 * Math.sin(days * 131 + offtake * 5);
  return daily / 0.851 + wander;
}

function readNodes(model: Model): readonly Node[] {
  return Array.from({ length: model.getCount(CountType.NodeCount) }, (_, at): Node => {
    const index = at + 1;
    const type = model.getNodeType(index);
    const { x, y } = model.getCoordinates(index);
    const value = (property: number): number => model.getNodeValue(index, property);
    const isTank = type === NodeType.Tank;
    const [min, max] = isTank ? [value(NodeProperty.MinLevel), value(NodeProperty.MaxLevel)] : [0, 0];
    return {
      id: model.getNodeId(index),
      kind: isTank ? 'tank' : type === NodeType.Reservoir ? 'source' : 'junction',
      comment: model.getComment(ObjectType.Node, index),
      position: [rounded(x), rounded(y)],
      baseDemand: type === NodeType.Junction ? value(NodeProperty.BaseDemand) : 0,
      levels: isTank
        ? { min, max, capacityMl: ((Math.PI / 4) * value(NodeProperty.TankDiam) ** 2 * (max - min)) / 1000 }
        : undefined,
    };
  });
}

function readLinks(model: Model): readonly Link[] {
  return Array.from({ length: model.getCount(CountType.LinkCount) }, (_, at): Link => {
    const index = at + 1;
    const { node1, node2 } = model.getLinkNodes(index);
    const isPump = model.getLinkType(index) === LinkType.Pump;
    const ends = [node1, node2].map((node) => model.getCoordinates(node));
    const bends = Array.from({ length: model.getVertexCount(index) }, (_unused, bend) =>
      model.getVertex(index, bend + 1),
    );
    return {
      id: model.getLinkId(index),
      kind: isPump ? 'pump' : 'pipe',
      comment: model.getComment(ObjectType.Link, index),
      from: model.getNodeId(node1),
      to: model.getNodeId(node2),
      diameterMm: isPump ? 0 : Math.round(model.getLinkValue(index, LinkProperty.Diameter)),
      lengthM: isPump ? 0 : Math.round(model.getLinkValue(index, LinkProperty.Length)),
      line: [ends[0], ...bends, ends[1]].flatMap((point) =>
        point === undefined ? [] : [[rounded(point.x), rounded(point.y)] as const],
      ),
    };
  });
}

const rounded = (degrees: number): number => Math.round(degrees * 1e5) / 1e5;
