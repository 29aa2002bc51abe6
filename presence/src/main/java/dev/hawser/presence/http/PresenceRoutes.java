package dev.hawser.presence.http;

import static org.apache.pekko.http.javadsl.server.Directives.complete;
import static org.apache.pekko.http.javadsl.server.Directives.concat;
import static org.apache.pekko.http.javadsl.server.Directives.getFromResource;
import static org.apache.pekko.http.javadsl.server.Directives.optionalHeaderValueByName;
import static org.apache.pekko.http.javadsl.server.Directives.path;
import static org.apache.pekko.http.javadsl.server.Directives.pathPrefix;

import dev.hawser.presence.PresenceDatabase;
import java.time.Clock;
import org.apache.pekko.http.javadsl.model.HttpMethods;
import org.apache.pekko.http.javadsl.model.StatusCodes;
import org.apache.pekko.http.javadsl.server.Route;

/**
 * Presence over HTTP, as {@code openapi.json} describes it; each group of questions has a class.
 */
public final class PresenceRoutes {

  private final ApiKeys apiKeys;
  private final Answers answers = new Answers();
  private final Questions questions;
  private final OnlineQuestions online;
  private final StayQuestions stays;
  private final ViewingQuestions viewing;
  private final TrendQuestions trends;

  /**
   * Takes what it asks and whom it answers.
   *
   * @param apiKeys who is answered
   */
  public PresenceRoutes(PresenceDatabase database, ApiKeys apiKeys, Clock clock) {
    this.apiKeys = apiKeys;
    this.questions = new Questions(database, answers);
    this.online = new OnlineQuestions(questions, clock);
    this.stays = new StayQuestions(questions, clock);
    this.viewing = new ViewingQuestions(questions, clock);
    this.trends = new TrendQuestions(questions, clock);
  }

  /** All of {@code /api}; what is not known there is a 404. */
  public Route route() {
    return pathPrefix(
        "api",
        () ->
            optionalHeaderValueByName(
                "X-API-Key",
                key -> apiKeys.accept(key.orElse("")) ? authorized() : unauthorized()));
  }

  private Route unauthorized() {
    return complete(answers.problem(StatusCodes.UNAUTHORIZED, apiKeys.refusal(), null));
  }

  private Route authorized() {
    return concat(
        path(
            "openapi.json",
            () -> questions.only(HttpMethods.GET, () -> getFromResource("openapi/presence.json"))),
        online.route(),
        stays.route(),
        viewing.route(),
        trends.route(),
        complete(answers.problem(StatusCodes.NOT_FOUND, "see /api/openapi.json", null)));
  }
}
