/** What outlives a node, in PostgreSQL. */
@NullMarked
package dev.hawser.gateway.journal;

import org.jspecify.annotations.NullMarked;
