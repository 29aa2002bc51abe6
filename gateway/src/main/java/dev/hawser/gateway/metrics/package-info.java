/** Figures of the node, for Prometheus. */
@NullMarked
package dev.hawser.gateway.metrics;

import org.jspecify.annotations.NullMarked;
