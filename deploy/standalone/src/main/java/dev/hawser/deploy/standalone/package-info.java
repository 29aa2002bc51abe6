/** Everything in one command: a node with its PostgreSQL and Kafka, and the tools to try it. */
@NullMarked
package dev.hawser.deploy.standalone;

import org.jspecify.annotations.NullMarked;
