/// <reference types="node" preserve="true" />
/**
 * Checks for those who extend hubwire.
 *
 * @packageDocumentation
 */
export { type RelayCheck, relayChecks } from './relay-checks.js'
