/**
 * Presence: records which users are connected to this node, keeps the node's lease, removes what
 * dead nodes left behind. PostgreSQL is the only thing that nodes share here.
 */
@NullMarked
package dev.hawser.presence;

import org.jspecify.annotations.NullMarked;
