package dev.hawser.gateway.metrics;

import static org.apache.pekko.http.javadsl.server.Directives.complete;
import static org.apache.pekko.http.javadsl.server.Directives.get;
import static org.apache.pekko.http.javadsl.server.Directives.path;

import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.http.javadsl.model.ContentType;
import org.apache.pekko.http.javadsl.model.ContentTypes;
import org.apache.pekko.http.javadsl.model.HttpEntities;
import org.apache.pekko.http.javadsl.server.Route;
import org.apache.pekko.management.javadsl.ManagementRouteProvider;
import org.apache.pekko.management.javadsl.ManagementRouteProviderSettings;

/** {@code GET /metrics} on the management port. Pekko Management makes it, by its class name. */
public final class MetricsRoute implements ManagementRouteProvider {

  private static final ContentType.NonBinary TEXT = ContentTypes.TEXT_PLAIN_UTF8;

  private final GatewayMetrics metrics;

  /** Called by Pekko Management. */
  public MetricsRoute(ExtendedActorSystem system) {
    this.metrics = GatewayMetrics.get(Adapter.toTyped(system));
  }

  @Override
  public Route routes(ManagementRouteProviderSettings settings) {
    return path("metrics", () -> get(() -> complete(HttpEntities.create(TEXT, metrics.scrape()))));
  }
}
