/** The HTTP door (pekko-http): the APIs, and WebSockets for set-ups with one open port. */
@NullMarked
package dev.hawser.gateway.http;

import org.jspecify.annotations.NullMarked;
