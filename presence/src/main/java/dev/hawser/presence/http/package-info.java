/** What presence answers over HTTP: one SQL query per question, any node answers. */
@NullMarked
package dev.hawser.presence.http;

import org.jspecify.annotations.NullMarked;
