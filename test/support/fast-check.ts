/**
 * Loaded before every test: a failing property prints the error itself, too, not only the input that led to it.
 */
import fc from 'fast-check';

fc.configureGlobal({ includeErrorInReport: true });
