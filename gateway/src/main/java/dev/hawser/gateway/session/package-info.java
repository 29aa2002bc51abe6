/**
 * A user's session: the one owner of all of that user's connections, wherever their sockets are.
 */
@NullMarked
package dev.hawser.gateway.session;

import org.jspecify.annotations.NullMarked;
