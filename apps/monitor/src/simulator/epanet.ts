// The part of the EPANET toolkit that the simulator uses, with types: those of the package cannot be resolved by Node's
// rules (its declarations import one another without endings). Names and numbers are the toolkit's own.

import * as library from 'epanet-js';

export interface Model {
  readonly open: (input: string, report: string, output: string) => void;
  readonly getCount: (type: number) => number;
  readonly setTimeParameter: (parameter: number, seconds: number) => void;
  readonly openH: () => void;
  readonly initH: (option: number) => void;
  readonly runH: () => number;
  /** Seconds until the next step, at most the hydraulic time step. */
  readonly nextH: () => number;
  readonly openQ: () => void;
  readonly initQ: (option: number) => void;
  readonly runQ: () => number;
  readonly nextQ: () => number;
  readonly getNodeIndex: (id: string) => number;
  readonly getNodeId: (index: number) => string;
  readonly getNodeType: (index: number) => number;
  readonly getNodeValue: (index: number, property: number) => number;
  readonly setNodeValue: (index: number, property: number, value: number) => void;
  readonly getCoordinates: (index: number) => { readonly x: number; readonly y: number };
  readonly getLinkIndex: (id: string) => number;
  readonly getLinkId: (index: number) => string;
  readonly getLinkType: (index: number) => number;
  readonly getLinkNodes: (index: number) => { readonly node1: number; readonly node2: number };
  readonly getLinkValue: (index: number, property: number) => number;
  readonly setLinkValue: (index: number, property: number, value: number) => void;
  readonly getVertexCount: (index: number) => number;
  readonly getVertex: (index: number, vertex: number) => { readonly x: number; readonly y: number };
  readonly getComment: (object: number, index: number) => string;
  readonly getControl: (index: number) => { readonly linkIndex: number };
  readonly setControlEnabled: (index: number, enabled: 0 | 1) => void;
}

interface Workspace {
  readonly loadModule: () => Promise<void>;
  readonly writeFile: (name: string, content: Uint8Array) => void;
}

type Numbers<Name extends string> = Readonly<Record<Name, number>>;

interface Library {
  readonly Workspace: new () => Workspace;
  readonly Project: new (workspace: Workspace) => Model;
  readonly CountType: Numbers<'NodeCount' | 'LinkCount' | 'ControlCount'>;
  readonly InitHydOption: Numbers<'NoSave' | 'InitFlow'>;
  readonly LinkProperty: Numbers<'Diameter' | 'Length' | 'Flow' | 'Status'>;
  readonly LinkType: Numbers<'Pump'>;
  readonly NodeProperty: Numbers<
    'BaseDemand' | 'Emitter' | 'Initqual' | 'Pressure' | 'Quality' | 'MinLevel' | 'MaxLevel' | 'TankDiam'
  >;
  readonly NodeType: Numbers<'Junction' | 'Reservoir' | 'Tank'>;
  readonly ObjectType: Numbers<'Node' | 'Link'>;
  readonly TimeParameter: Numbers<'Duration' | 'HydStep' | 'QualStep'>;
}

export const {
  CountType,
  InitHydOption,
  LinkProperty,
  LinkType,
  NodeProperty,
  NodeType,
  ObjectType,
  Project,
  TimeParameter,
  Workspace,
} = library as unknown as Library;
