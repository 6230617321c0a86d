// Decisions over time, on top of the engine: drills, objectives, reports. What is decided is pure; adapters do the I/O.

export {};
