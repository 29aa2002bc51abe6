/** What a run found: result.json, and the same as a page with charts. */
@NullMarked
package dev.hawser.loadtest.report;

import org.jspecify.annotations.NullMarked;
