/** The load generator: the command, its scenarios, and the cluster that they run against. */
@NullMarked
package dev.hawser.loadtest;

import org.jspecify.annotations.NullMarked;
