// The version of Spillway: the one artefact has one, and `package.json` of the command line says the same (a test holds them together).

export const SPILLWAY_VERSION = '0.1.0';
