// Made by `npm run reference` from docs/openapi.json, the API as the service tells it; a test fails where they differ.

export interface paths {
    "/livez": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The process lives */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** @enum {boolean} */
                            alive: true;
                        };
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The service does its work */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            ready: boolean;
                            why: string | null;
                        };
                    };
                };
                /** @description Default Response */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            ready: boolean;
                            why: string | null;
                        };
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This API, as OpenAPI 3.1 */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            [key: string]: unknown;
                        };
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Metrics in OpenMetrics, or the older text format of Prometheus */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description application/openmetrics-text, or text/plain */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/openmetrics-text": string;
                        "text/plain": string;
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/openmetrics-text": components["schemas"]["Problem"];
                        "text/plain": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/openmetrics-text": components["schemas"]["Problem"];
                        "text/plain": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who the caller is
         * @description csrf_token is empty for a caller with a token, who needs none.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Session"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Open a session with a token */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["LoginRequest"];
                };
            };
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Session"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        /** End the session */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** @enum {boolean} */
                            ended: true;
                        };
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/oidc/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Log in with OpenID Connect: to the provider */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description to where Location says */
                302: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/oidc/callback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Log in with OpenID Connect: back from the provider */
        get: {
            parameters: {
                query?: {
                    state?: string;
                    code?: string;
                    error?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description text/html */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": string;
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/overview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether each cluster can be recovered, to when, how fast, when that was last shown, and what is wrong */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Overview"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clusters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The clusters, their schedules, receivers and jobs */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Clusters"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clusters/{cluster}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One cluster */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    cluster: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Cluster"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clusters/{cluster}/backups": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Its backups and its recovery window; as spillway backups */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    cluster: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            cluster: string;
                            recovery_window: {
                                earliest_at: string | null;
                                latest_at: string | null;
                                earliest_lsn: string | null;
                                latest_lsn: string | null;
                                latest_timeline: number | null;
                                gaps: {
                                    timeline: number;
                                    from_lsn: string;
                                    to_lsn: string;
                                }[];
                            };
                            backups: {
                                id: string;
                                cluster: string;
                                /** @enum {string} */
                                type: "full" | "incremental";
                                /** @enum {string} */
                                source: "local" | "stream";
                                /** @enum {string} */
                                taken_from: "primary" | "standby";
                                unchanged_by: ("wal-summaries" | "times") | null;
                                /** Format: date-time */
                                started_at: string;
                                /** Format: date-time */
                                finished_at: string;
                                duration_seconds: number;
                                system_identifier: string;
                                postgres_version: number;
                                timeline: number;
                                start_lsn: string;
                                stop_lsn: string;
                                wal_segment_bytes: number;
                                block_bytes: number;
                                catalog_version: number;
                                checksums: boolean;
                                files: number;
                                bytes: number;
                                read_bytes: number;
                                new_bytes: number;
                                stored_bytes: number;
                                chunks: number;
                                new_chunks: number;
                                unchanged_chunks: number | null;
                                damaged_pages: {
                                    file: string;
                                    block: number;
                                }[];
                                damaged_page_count: number;
                                tablespaces: {
                                    oid: number;
                                    path: string;
                                    bytes: number;
                                }[];
                                wal_complete: boolean;
                                /** @description why it is on legal hold; null where it is not */
                                legal_hold: string | null;
                                proven_at: string | null;
                                verification: ("passed" | "failed") | null;
                            }[];
                        };
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clusters/{cluster}/wal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Its WAL in the repository, and the gaps in it; as spillway wal check */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    cluster: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            timelines: {
                                system_identifier: string;
                                timeline: number;
                                first_lsn: string;
                                last_lsn: string;
                                segments: number;
                                pieces: number;
                                stored_bytes: number;
                                last_at: string | null;
                            }[];
                            gaps: {
                                timeline: number;
                                from_lsn: string;
                                to_lsn: string;
                                /** @enum {string} */
                                cause: "slot-lost" | "slot-dropped" | "wal-removed" | "promoted-before-received" | "object-missing" | "unknown";
                                details: string;
                                at: string | null;
                            }[];
                            backups_without_wal: string[];
                            data: {
                                objects: number;
                                bytes: number;
                                records: number;
                                damaged: {
                                    object: string;
                                    why: string;
                                }[];
                            } | null;
                        };
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clusters/{cluster}/evidence": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Signed records of verifications, restores, drills and actions; kind=drill gives the drills alone */
        get: {
            parameters: {
                query?: {
                    kind?: string;
                };
                header?: never;
                path: {
                    cluster: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            cluster: string;
                            records: {
                                id: string;
                                /** @enum {string} */
                                kind: "verification" | "restore" | "key-check" | "drill" | "table-restore" | "anomaly" | "expiry" | "action";
                                cluster: string;
                                backup: string | null;
                                /** @enum {string} */
                                level: "structure" | "data" | "wal" | "dump" | "restore" | "keys" | "action";
                                /** @enum {string} */
                                result: "passed" | "failed";
                                /** Format: date-time */
                                started_at: string;
                                /** Format: date-time */
                                finished_at: string;
                                details: {
                                    [key: string]: unknown;
                                };
                                sequence?: number;
                                previous?: string | null;
                                host?: string;
                                versions?: {
                                    spillway: string;
                                    node: string;
                                    postgres?: string;
                                };
                                copied_from?: {
                                    sequence: number | null;
                                    sha256: string;
                                };
                            }[];
                            unreadable: {
                                name: string;
                                why: string;
                            }[];
                        };
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What runs by itself, and when */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Schedules"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Jobs, newest first */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    /** @description next_cursor of the page before */
                    cursor?: string;
                    cluster?: string;
                    state?: "awaiting-approval" | "queued" | "running" | "cancelling" | "timing-out" | "waiting" | "succeeded" | "warned" | "failed" | "cancelled" | "timed-out" | "aborted" | "superseded" | "rejected";
                    schedule?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobPage"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Start a job
         * @description What could lose something wants confirm, the name of the cluster, and may want a second person.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["JobRequest"];
                };
            };
            responses: {
                /** @description Default Response */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Job"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{job}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One job, with its result */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    job: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Job"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{job}/log": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a job said */
        get: {
            parameters: {
                query?: {
                    /** @description only lines behind this one */
                    after?: number;
                    limit?: number;
                };
                header?: never;
                path: {
                    job: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobLog"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clusters/{cluster}/restore-plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * What a restore would do, without doing it
         * @description plan is null where planning takes longer than a minute; the job has it when it has ended.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    cluster: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["RestorePlanRequest"];
                };
            };
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PlannedRestore"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{job}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cancel a job; what runs is asked to end */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    job: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Job"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{job}/approve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Approve a job as the second person */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    job: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ApprovalRequest"];
                };
            };
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Job"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{job}/reject": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Reject a job that waits for a second person */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    job: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Job"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What happens, as server-sent events: jobs, their progress and lines, receivers
         * @description Last-Event-ID goes on where a stream broke off; `reset` says that too much happened since.
         */
        get: {
            parameters: {
                query?: {
                    cluster?: string;
                    job?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description text/event-stream */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/event-stream": string;
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/event-stream": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/event-stream": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clusters/{cluster}/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** RPO and RTO now, against the objectives; as spillway status */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    cluster: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            cluster: string;
                            /** Format: date-time */
                            at: string;
                            /** @enum {string} */
                            verdict: "met" | "at-risk" | "missed";
                            recoverable_to: string | null;
                            recovery_window: {
                                earliest_at: string | null;
                                latest_at: string | null;
                                earliest_lsn: string | null;
                                latest_lsn: string | null;
                                latest_timeline: number | null;
                                gaps: {
                                    timeline: number;
                                    from_lsn: string;
                                    to_lsn: string;
                                }[];
                            };
                            rpo: {
                                objective_seconds: number;
                                seconds: number | null;
                                /** @enum {string} */
                                state: "met" | "at-risk" | "missed";
                                places: {
                                    place: string;
                                    required: boolean;
                                    durable_lsn: string | null;
                                    timeline: number | null;
                                    durable_at: string | null;
                                    seconds: number | null;
                                    /** @enum {string} */
                                    basis: "all-durable" | "quiet" | "canary" | "sent" | "nothing";
                                    canary: number | null;
                                    /** @enum {string} */
                                    state: "met" | "at-risk" | "missed";
                                    problem: string | null;
                                }[];
                            };
                            canary: {
                                configured: boolean;
                                newest: {
                                    /** @description number of a canary; rises with each writing */
                                    sequence: number;
                                    /** Format: date-time */
                                    written_at: string;
                                } | null;
                                known_by: ("source" | "state-file" | "repository") | null;
                                quiet_until: string | null;
                            };
                            source: {
                                in_recovery: boolean;
                                flushed_lsn: string | null;
                                timeline: number | null;
                                slot: {
                                    name: string;
                                    wal_status: string | null;
                                    held_bytes: number;
                                    safe_bytes: number | null;
                                    limit_bytes: number | null;
                                } | null;
                                replication: {
                                    name: string;
                                    state: string | null;
                                    sync_state: string | null;
                                    flushed_lsn: string | null;
                                    behind_bytes: number | null;
                                    behind_seconds: number | null;
                                }[];
                                archive: {
                                    mode: string;
                                    last_archived_wal: string | null;
                                    last_archived_at: string | null;
                                    last_failed_at: string | null;
                                    failed_count: number;
                                };
                            } | null;
                            rto: {
                                objective_seconds: number;
                                /** @enum {string} */
                                state: "met" | "at-risk" | "missed";
                                newest_backup_bytes: number;
                                wal_since_bytes: number;
                                scenarios: {
                                    /** @enum {string} */
                                    name: "whole cluster lost" | "data corrupted" | "one table";
                                    how: string;
                                    expected_seconds: number;
                                    /** @enum {string} */
                                    basis: "measured" | "partly-guessed" | "guess";
                                    from: string;
                                    objective_seconds: number;
                                    /** @enum {string} */
                                    state: "met" | "at-risk" | "missed" | "unproven";
                                    proof: {
                                        evidence: string;
                                        kind: string;
                                        /** Format: date-time */
                                        at: string;
                                        seconds: number;
                                    } | null;
                                }[];
                            };
                            findings: {
                                /** @enum {string} */
                                severity: "warning" | "failed";
                                message: string;
                                hint: string | null;
                            }[];
                        };
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clusters/{cluster}/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How each job of the last days went, in a line each; without what only looks */
        get: {
            parameters: {
                query?: {
                    days?: number;
                };
                header?: never;
                path: {
                    cluster: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["JobHistory"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clusters/{cluster}/servers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How its servers are, and what the first of them did since the service began */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    cluster: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Servers"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clusters/{cluster}/retention": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What keeps each backup by the configured rules; as the reasons of spillway expire --dry-run */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    cluster: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Retention"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/alerts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What is wrong by the rules of the alerts, and who was told of it */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Alerts"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/storage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The room under each place of the repository */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Space"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Tokens */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Tokens"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Make a token, which is shown this one time */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["TokenRequest"];
                };
            };
            responses: {
                /** @description Default Response */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CreatedToken"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens/{token}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Revoke a token, and end its sessions */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    token: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Token"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who did what, newest first */
        get: {
            parameters: {
                query?: {
                    limit?: number;
                    /** @description next_cursor of the page before */
                    cursor?: string;
                    cluster?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AuditPage"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/configuration": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Every setting in force and where it comes from, without secrets; as spillway config show */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            file: string | null;
                            settings: {
                                path: string;
                                value: string | number;
                                origin: string;
                            }[];
                        };
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/configuration/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What is wrong with the configuration as it is now, and what a start of the service would change */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Default Response */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ConfigurationNow"];
                    };
                };
                /** @description The request cannot be answered */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not now, or not by this service */
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Alerts: {
            /** Format: date-time */
            at: string;
            alerts: {
                alert: string;
                cluster: string;
                /** @enum {string} */
                severity: "critical" | "warning";
                summary: string;
                since: string | null;
                told_at: string | null;
            }[];
            runbooks: string | null;
            channels: {
                channel: string;
                sent: number;
                failed: number;
            }[];
        };
        ApprovalRequest: {
            /** @description the name of the cluster */
            confirm: string;
        };
        AuditPage: {
            entries: {
                id: number;
                /** Format: date-time */
                at: string;
                who: string;
                role: string;
                action: string;
                cluster: string | null;
                subject: string | null;
                details: {
                    [key: string]: unknown;
                };
                address: string;
                evidence: string | null;
            }[];
            next_cursor: string | null;
        };
        Cluster: {
            name: string;
            host: string;
            port: number;
            receiver: components["schemas"]["Receiver"] | null;
            schedules: components["schemas"]["Schedule"][];
            jobs: components["schemas"]["Job"][];
        };
        Clusters: {
            clusters: components["schemas"]["Cluster"][];
        };
        ConfigurationNow: {
            problems: string[];
            changed: {
                path: string;
                running: string | number | null;
                file: string | number | null;
            }[];
        };
        CreatedToken: {
            id: string;
            name: string;
            /** @enum {string} */
            role: "viewer" | "operator" | "administrator";
            /** Format: date-time */
            created_at: string;
            created_by: string;
            expires_at: string | null;
            last_used_at: string | null;
            revoked_at: string | null;
            /** @description shown this one time */
            token: string;
        };
        Job: {
            id: string;
            cluster: string;
            command: string;
            request: {
                [key: string]: unknown;
            };
            /** @enum {string} */
            lane: "backup" | "prove" | "keep" | "restore" | "look";
            schedule: string | null;
            due_at: string | null;
            missed: number;
            /** @enum {string} */
            state: "awaiting-approval" | "queued" | "running" | "cancelling" | "timing-out" | "waiting" | "succeeded" | "warned" | "failed" | "cancelled" | "timed-out" | "aborted" | "superseded" | "rejected";
            attempt: number;
            attempts_max: number;
            /** @description the name of a token, or schedule */
            requested_by: string;
            /** Format: date-time */
            requested_at: string;
            retry_at: string | null;
            started_at: string | null;
            finished_at: string | null;
            duration_seconds: number | null;
            exit_code: number | null;
            error: {
                code: string;
                message: string;
                why: string | null;
                hint: string;
            } | null;
            result: unknown;
            result_text: string | null;
            progress: {
                /** Format: date-time */
                at: string;
                phase: string;
                done_bytes: number;
                total_bytes: number | null;
                detail: string | null;
            } | null;
            approvals: {
                by: string;
                /** Format: date-time */
                at: string;
            }[];
            approvals_needed: number;
        };
        JobHistory: {
            cluster: string;
            /** Format: date-time */
            since: string;
            cut: boolean;
            jobs: {
                id: string;
                command: string;
                schedule: string | null;
                /** @enum {string} */
                state: "awaiting-approval" | "queued" | "running" | "cancelling" | "timing-out" | "waiting" | "succeeded" | "warned" | "failed" | "cancelled" | "timed-out" | "aborted" | "superseded" | "rejected";
                /** Format: date-time */
                at: string;
                missed: number;
            }[];
        };
        JobLog: {
            lines: {
                line: number;
                /** Format: date-time */
                at: string;
                /** @enum {string} */
                level: "info" | "warning" | "error" | "output";
                message: string;
            }[];
            left_out: number;
        };
        JobPage: {
            jobs: components["schemas"]["Job"][];
            next_cursor: string | null;
        };
        JobRequest: {
            /** @constant */
            command: "backup";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** @enum {string} */
            type?: "full" | "incremental";
            /** @enum {string} */
            source?: "local" | "stream" | "logical" | "schema";
            /** @description of a dump */
            database?: string[];
            workers?: number;
            compression_level?: number;
        } | {
            /** @constant */
            command: "backups";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
        } | {
            /** @constant */
            command: "show";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** @description an id, or the beginning of it */
            backup_id: string;
        } | {
            /** @constant */
            command: "check";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** @enum {string} */
            source?: "local" | "stream";
        } | {
            /** @constant */
            command: "doctor";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
        } | {
            /** @constant */
            command: "restore";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            into?: string & (unknown & unknown);
            /** Format: date-time */
            at?: string;
            lsn?: string;
            xid?: string;
            name?: string;
            immediate?: boolean;
            exclusive?: boolean;
            timeline?: number;
            /** @description an id, or the beginning of it */
            backup?: string;
            /** @description as SQL names it */
            table?: string[];
            beside?: boolean;
            swap?: boolean;
            file?: string & (unknown & unknown);
            as?: string;
            without_indexes?: boolean;
            unlogged?: boolean;
            lock?: boolean;
            delta?: boolean;
            tablespace_all_into?: string & (unknown & unknown);
            wal_directory?: string & (unknown & unknown);
            database?: string[];
            /** @enum {string} */
            target_action?: "promote" | "pause" | "shutdown";
            standby?: boolean;
            primary_slot?: string;
            workers?: number;
            start?: boolean;
            isolated?: boolean;
            port?: number;
            log?: string & (unknown & unknown);
            dry_run?: boolean;
        } | {
            /** @constant */
            command: "rewind";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            data_directory: string & (unknown & unknown);
            primary_slot?: string;
            keep_into?: string & (unknown & unknown);
            dry_run?: boolean;
        } | {
            /** @constant */
            command: "dump list";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
        } | {
            /** @constant */
            command: "dump show";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** @description an id, or the beginning of it */
            dump_id: string;
        } | {
            /** @constant */
            command: "dump verify";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** @description an id, or the beginning of it */
            dump_id: string;
            workers?: number;
        } | {
            /** @constant */
            command: "dump restore";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** @description an id, or the beginning of it */
            dump_id: string;
            database?: string[];
            to_database?: string;
            create?: boolean;
            clean?: boolean;
            globals?: boolean;
            no_owners?: boolean;
            into?: string & (unknown & unknown);
            port?: number;
            jobs?: number;
            work_folder?: string & (unknown & unknown);
            workers?: number;
        } | {
            /** @constant */
            command: "dump export";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** @description an id, or the beginning of it */
            dump_id: string;
            /** @enum {string} */
            format?: "sql.gz" | "custom";
            to: string & (unknown & unknown);
            database?: string[];
            workers?: number;
        } | {
            /** @constant */
            command: "verify";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            backup_ids?: string[];
            all?: boolean;
            /** @enum {string} */
            level?: "structure" | "data" | "wal" | "dump" | "restore";
            sample?: string;
            /** Format: date-time */
            at?: string;
            lsn?: string;
            xid?: string;
            name?: string;
            immediate?: boolean;
            exclusive?: boolean;
            seed?: string;
            workers?: number;
        } | {
            /** @constant */
            command: "drill run";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** @description the name of a drill file beside the configuration */
            drill: string;
        } | {
            /** @constant */
            command: "drill list";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
        } | {
            /** @constant */
            command: "drill show";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** @description the name of a drill file beside the configuration */
            drill?: string;
        } | {
            /** @constant */
            command: "status";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
        } | {
            /** @constant */
            command: "anomalies";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            no_source?: boolean;
            no_record?: boolean;
        } | {
            /** @constant */
            command: "investigate";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** Format: date-time */
            from: string;
            /** Format: date-time */
            to?: string;
            table?: string;
            kind?: ("delete" | "update" | "insert" | "truncate" | "drop" | "rewrite" | "create" | "alter")[];
            min_rows?: number;
            limit?: number;
            timeline?: number;
        } | {
            /** @constant */
            command: "timetravel start";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** Format: date-time */
            at?: string;
            lsn?: string;
            xid?: string;
            name?: string;
            immediate?: boolean;
            exclusive?: boolean;
            timeline?: number;
            /** @description an id, or the beginning of it */
            backup?: string;
            database?: string[];
            for?: string;
            port?: number;
        } | {
            /** @constant */
            command: "timetravel list";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
        } | {
            /** @constant */
            command: "timetravel end";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** @description an id, or the beginning of it */
            id: string;
        } | {
            /** @constant */
            command: "evidence list";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
        } | {
            /** @constant */
            command: "evidence head";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
        } | {
            /** @constant */
            command: "evidence verify";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            head?: string;
        } | {
            /** @constant */
            command: "report compliance";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            month: string;
            html?: string & (unknown & unknown);
            pdf?: string & (unknown & unknown);
            verified_every?: number;
            keys_every?: number;
        } | {
            /** @constant */
            command: "evidence export";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** @description an id, or the beginning of it */
            evidence_id: string;
        } | {
            /** @constant */
            command: "key list";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
        } | {
            /** @constant */
            command: "key check";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
        } | {
            /** @constant */
            command: "wal check";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            data?: boolean;
        } | {
            /** @constant */
            command: "expire";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            keep_count?: number;
            keep_days?: number;
            keep_daily?: number;
            keep_weekly?: number;
            keep_monthly?: number;
            keep_yearly?: number;
            minimum_proven?: number;
            point_in_time?: string;
            dry_run?: boolean;
            grace?: string;
            repack_below?: number;
            repack_max?: string;
            backup?: string[];
        } | {
            /** @constant */
            command: "hold add";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** @description an id, or the beginning of it */
            backup_id: string;
            reason: string;
        } | {
            /** @constant */
            command: "hold list";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            all?: boolean;
        } | {
            /** @constant */
            command: "hold remove";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** @description an id, or the beginning of it */
            backup_id: string;
            reason: string;
        } | {
            /** @constant */
            command: "copy";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** @description a place of the repository: repository, or a name under copies */
            place?: string;
            /** @description a place of the repository: repository, or a name under copies */
            from?: string;
            backup?: string[];
            workers?: number;
            dry_run?: boolean;
        } | {
            /** @constant */
            command: "repair";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            /** @description a place of the repository: repository, or a name under copies */
            from?: string;
            workers?: number;
            dry_run?: boolean;
        } | {
            /** @constant */
            command: "storage plan";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
        } | {
            /** @constant */
            command: "storage apply";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            dry_run?: boolean;
        } | {
            /** @constant */
            command: "storage tier";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            after?: string;
            class?: string;
            reads?: number;
            dry_run?: boolean;
        } | {
            /** @constant */
            command: "storage recover";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
            dry_run?: boolean;
        } | {
            /** @constant */
            command: "config check";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
        } | {
            /** @constant */
            command: "config show";
            cluster: string;
            /** @description a place of the repository: repository, or a name under copies */
            repository?: string;
            /** @description the name of the cluster, where the job could lose something */
            confirm?: string;
            /** @description what the command itself asks for, where that is another name: of a backup, a bucket, a database */
            confirm_name?: string;
        };
        LoginRequest: {
            token: string;
        };
        Overview: {
            /** Format: date-time */
            at: string;
            version: string;
            /** Format: date-time */
            started_at: string;
            clusters: {
                name: string;
                recoverable: boolean | null;
                earliest_at: string | null;
                latest_at: string | null;
                gaps: number | null;
                backups: number | null;
                last_backup_at: string | null;
                last_backup_proven_at: string | null;
                standing: {
                    /** Format: date-time */
                    at: string;
                    /** @enum {string} */
                    verdict: "met" | "at-risk" | "missed";
                    recoverable_to: string | null;
                    rpo: {
                        objective_seconds: number;
                        seconds: number | null;
                        /** @enum {string} */
                        state: "met" | "at-risk" | "missed";
                    };
                    rto: {
                        expected_seconds: number;
                        objective_seconds: number;
                        /** @enum {string} */
                        basis: "measured" | "partly-guessed" | "guess";
                        /** @enum {string} */
                        state: "met" | "at-risk" | "missed" | "unproven";
                    };
                    proof: {
                        evidence: string;
                        kind: string;
                        /** Format: date-time */
                        at: string;
                        seconds: number;
                    } | null;
                    findings: {
                        /** @enum {string} */
                        severity: "warning" | "failed";
                        message: string;
                        hint: string | null;
                    }[];
                } | null;
                standing_error: string | null;
                receiver: ("idle" | "running" | "steady" | "resting" | "stopping") | null;
                running: string[];
                next: {
                    kind: string;
                    /** Format: date-time */
                    at: string;
                } | null;
                problems: string[];
                repository_error: string | null;
            }[];
        };
        PlannedRestore: {
            job: components["schemas"]["Job"];
            /** @description as spillway restore --dry-run */
            plan: unknown;
        };
        Problem: {
            status: number;
            code: string;
            title: string;
            /** @description what happened, and what to do next */
            detail: string;
        };
        Receiver: {
            /** @enum {string} */
            state: "idle" | "running" | "steady" | "resting" | "stopping";
            /** Format: date-time */
            since: string;
            restarts: number;
            error: {
                code: string;
                message: string;
                why: string | null;
                hint: string;
            } | null;
            detail: string | null;
        };
        RestorePlanRequest: {
            into: string & (unknown & unknown);
            /** Format: date-time */
            at?: string;
            lsn?: string;
            xid?: string;
            name?: string;
            immediate?: boolean;
            exclusive?: boolean;
            timeline?: number;
            /** @description an id, or the beginning of it */
            backup?: string;
            /** @description as SQL names it */
            table?: string[];
            beside?: boolean;
            swap?: boolean;
            file?: string & (unknown & unknown);
            as?: string;
            without_indexes?: boolean;
            unlogged?: boolean;
            lock?: boolean;
            delta?: boolean;
            tablespace_all_into?: string & (unknown & unknown);
            wal_directory?: string & (unknown & unknown);
            database?: string[];
            /** @enum {string} */
            target_action?: "promote" | "pause" | "shutdown";
            standby?: boolean;
            primary_slot?: string;
            workers?: number;
            start?: boolean;
            isolated?: boolean;
            port?: number;
            log?: string & (unknown & unknown);
        };
        Retention: {
            cluster: string;
            expires: boolean;
            backups: {
                id: string;
                keep: boolean;
                reasons: string[];
            }[];
        };
        Schedule: {
            cluster: string;
            kind: string;
            pattern: string | null;
            time_zone: string;
            next_at: string | null;
            handled_up_to: string | null;
            last_success_at: string | null;
            last_job: string | null;
            last_state: ("awaiting-approval" | "queued" | "running" | "cancelling" | "timing-out" | "waiting" | "succeeded" | "warned" | "failed" | "cancelled" | "timed-out" | "aborted" | "superseded" | "rejected") | null;
            idle_because: string | null;
        };
        Schedules: {
            schedules: components["schemas"]["Schedule"][];
        };
        Servers: {
            cluster: string;
            at: string | null;
            servers: {
                server: string;
                up: boolean;
                problem: string | null;
                figures: {
                    in_recovery: boolean;
                    timeline: number;
                    connections: number;
                    connections_max: number;
                    longest_transaction_seconds: number;
                    commits_per_second: number | null;
                    rollbacks_per_second: number | null;
                    hit_ratio: number | null;
                    deadlocks: number;
                } | null;
                statements: {
                    /** Format: date-time */
                    at: string;
                    since: string | null;
                    missing: string | null;
                    top: {
                        database: string | null;
                        query: string;
                        calls: number;
                        total_ms: number;
                        mean_ms: number;
                        max_ms: number;
                    }[];
                } | null;
            }[];
            every_seconds: number;
            series: {
                /** Format: date-time */
                at: string;
                connections: number | null;
                commits_per_second: number | null;
                hit_ratio: number | null;
            }[];
        };
        Session: {
            name: string;
            /** @enum {string} */
            role: "viewer" | "operator" | "administrator";
            /** Format: date-time */
            expires_at: string;
            csrf_token: string;
        };
        Space: {
            places: {
                place: string;
                available_bytes: number | null;
                size_bytes: number | null;
            }[];
        };
        Token: {
            id: string;
            name: string;
            /** @enum {string} */
            role: "viewer" | "operator" | "administrator";
            /** Format: date-time */
            created_at: string;
            created_by: string;
            expires_at: string | null;
            last_used_at: string | null;
            revoked_at: string | null;
        };
        TokenRequest: {
            name: string;
            /** @enum {string} */
            role: "viewer" | "operator" | "administrator";
            /** Format: date-time */
            expires_at?: string;
        };
        Tokens: {
            tokens: components["schemas"]["Token"][];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type Alerts = components['schemas']['Alerts'];
export type ApprovalRequest = components['schemas']['ApprovalRequest'];
export type AuditPage = components['schemas']['AuditPage'];
export type Cluster = components['schemas']['Cluster'];
export type Clusters = components['schemas']['Clusters'];
export type ConfigurationNow = components['schemas']['ConfigurationNow'];
export type CreatedToken = components['schemas']['CreatedToken'];
export type Job = components['schemas']['Job'];
export type JobHistory = components['schemas']['JobHistory'];
export type JobLog = components['schemas']['JobLog'];
export type JobPage = components['schemas']['JobPage'];
export type JobRequest = components['schemas']['JobRequest'];
export type LoginRequest = components['schemas']['LoginRequest'];
export type Overview = components['schemas']['Overview'];
export type PlannedRestore = components['schemas']['PlannedRestore'];
export type Problem = components['schemas']['Problem'];
export type Receiver = components['schemas']['Receiver'];
export type RestorePlanRequest = components['schemas']['RestorePlanRequest'];
export type Retention = components['schemas']['Retention'];
export type Schedule = components['schemas']['Schedule'];
export type Schedules = components['schemas']['Schedules'];
export type Servers = components['schemas']['Servers'];
export type Session = components['schemas']['Session'];
export type Space = components['schemas']['Space'];
export type Token = components['schemas']['Token'];
export type TokenRequest = components['schemas']['TokenRequest'];
export type Tokens = components['schemas']['Tokens'];
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
