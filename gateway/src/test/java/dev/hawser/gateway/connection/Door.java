package dev.hawser.gateway.connection;

/** The two ways in; what holds for one holds for the other, but for what a test tells apart. */
enum Door {
  NETTY,
  PEKKO_HTTP
}
