package dev.hawser.loadtest.peers;

/** What is measured of each peer in each round. */
enum Measure {
  MEMORY("idle memory per connection, KB"),
  CONNECTS("connects/s"),
  DELIVERIES("deliveries/s"),
  P50("p50, ms"),
  P99("p99, ms"),
  CPU("CPU s per million deliveries"),
  MISSING("missing");

  final String title;

  Measure(String title) {
    this.title = title;
  }
}
