/** The servers under load: a cluster of {@code hawser dev}, and what processes use. */
@NullMarked
package dev.hawser.loadtest.server;

import org.jspecify.annotations.NullMarked;
