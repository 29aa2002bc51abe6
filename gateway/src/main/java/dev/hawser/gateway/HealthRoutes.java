package dev.hawser.gateway;

import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.http.javadsl.model.StatusCodes;
import org.apache.pekko.http.javadsl.server.Directives;
import org.apache.pekko.http.javadsl.server.directives.RouteAdapter;
import org.apache.pekko.http.scaladsl.server.RequestContext;
import org.apache.pekko.http.scaladsl.server.RouteResult;
import org.apache.pekko.management.HealthCheckRoutes;
import org.apache.pekko.management.scaladsl.ManagementRouteProviderSettings;
import scala.Function1;
import scala.concurrent.Future;

/**
 * {@code /ready} and {@code /alive}, which say 503 for what Pekko Management says 500 for: the node
 * works, and has nothing to offer now. Pekko Management makes it, by its class name.
 */
public final class HealthRoutes extends HealthCheckRoutes {

  /** Called by Pekko Management. */
  public HealthRoutes(ExtendedActorSystem system) {
    super(system);
  }

  @Override
  public Function1<RequestContext, Future<RouteResult>> routes(
      ManagementRouteProviderSettings settings) {
    var routes = RouteAdapter.asJava(super.routes(settings));
    return Directives.mapResponse(
            response ->
                response.status().equals(StatusCodes.INTERNAL_SERVER_ERROR)
                    ? response.withStatus(StatusCodes.SERVICE_UNAVAILABLE)
                    : response,
            () -> routes)
        .asScala();
  }
}
