/// <reference types="node" preserve="true" />
/**
 * Checks for extensions of hubwire.
 *
 * @packageDocumentation
 */
export { type RelayCheck, relayChecks } from './relay-checks.js'
