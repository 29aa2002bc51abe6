package dev.hawser.presence.http;

import static org.apache.pekko.http.javadsl.server.Directives.complete;
import static org.apache.pekko.http.javadsl.server.Directives.onComplete;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.hawser.presence.PresenceDatabase;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.apache.pekko.http.javadsl.model.ContentTypes;
import org.apache.pekko.http.javadsl.model.HttpCharsets;
import org.apache.pekko.http.javadsl.model.HttpEntities;
import org.apache.pekko.http.javadsl.model.HttpEntity;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.MediaRange;
import org.apache.pekko.http.javadsl.model.MediaTypes;
import org.apache.pekko.http.javadsl.model.Query;
import org.apache.pekko.http.javadsl.model.StatusCode;
import org.apache.pekko.http.javadsl.model.StatusCodes;
import org.apache.pekko.http.javadsl.model.headers.Accept;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;
import org.apache.pekko.http.javadsl.server.Route;
import org.apache.pekko.http.scaladsl.model.EntityStreamSizeException;
import org.apache.pekko.japi.Pair;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** JSON or CSV for answers, problem details (RFC 9457) for everything else. */
public final class Answers {

  private static final Logger log = LoggerFactory.getLogger(Answers.class);

  private static final org.apache.pekko.http.javadsl.model.ContentType.WithFixedCharset PROBLEM =
      ContentTypes.create(
          MediaTypes.customWithFixedCharset(
              "application", "problem+json", HttpCharsets.UTF_8, Map.of(), true));

  private static final TypeReference<TreeMap<String, Integer>> COUNTS = new TypeReference<>() {};

  private static final String RETRY_SECONDS = "2";

  final ObjectMapper json =
      new ObjectMapper().setDefaultPropertyInclusion(JsonInclude.Include.NON_NULL);

  /** The question's answer, in the format that the request asks for, or the problem it ends in. */
  Route answer(
      HttpRequest request, Supplier<? extends CompletionStage<? extends Answer<?>>> question) {
    boolean csv;
    CompletionStage<? extends Answer<?>> answer;
    try {
      csv = wantsCsv(request);
      answer = question.get();
    } catch (BadRequestException wrong) {
      return complete(problem(wrong));
    }
    return onComplete(
        () -> answer.thenApply(value -> (Answer<?>) value),
        result ->
            result.isSuccess()
                ? complete(ok(request, result.get(), csv))
                : complete(problem(result.failed().get())));
  }

  private HttpResponse ok(HttpRequest request, Answer<?> answer, boolean csv) {
    HttpResponse response =
        csv
            ? HttpResponse.create()
                .withEntity(
                    HttpEntities.create(
                        MediaTypes.TEXT_CSV.toContentType(HttpCharsets.UTF_8), answer.csv(json)))
            : ok(answer.json());
    String next = answer.next();
    if (next == null) {
      return response;
    }
    Query query = request.getUri().query();
    var parameters = new ArrayList<Pair<String, String>>(query.toList());
    parameters.removeIf(parameter -> parameter.first().equals("cursor"));
    parameters.add(Pair.create("cursor", next));
    String page =
        request.getUri().getPathString()
            + "?"
            + Query.create(parameters).render(HttpCharsets.UTF_8);
    return response.addHeader(RawHeader.create("Link", "<" + page + ">; rel=\"next\""));
  }

  /** The parameter {@code format} wins; otherwise only who likes CSV better than JSON gets it. */
  private static boolean wantsCsv(HttpRequest request) {
    Optional<String> format = request.getUri().query().get("format");
    if (format.isPresent()) {
      return switch (format.get()) {
        case "csv" -> true;
        case "json" -> false;
        default -> throw QueryParameters.bad("format", format.get(), "json or csv");
      };
    }
    float csv = 0;
    float json = 0;
    for (Accept accept : request.getHeaders(Accept.class)) {
      for (MediaRange range : accept.getMediaRanges()) {
        if (range.matches(MediaTypes.APPLICATION_JSON)) {
          json = Math.max(json, range.qValue());
        } else if (range.matches(MediaTypes.TEXT_CSV)) {
          csv = Math.max(csv, range.qValue());
        }
      }
    }
    return csv > json;
  }

  /** The value as JSON. */
  public HttpResponse ok(Object value) {
    return HttpResponse.create()
        .withEntity(HttpEntities.create(ContentTypes.APPLICATION_JSON, write(value)));
  }

  private HttpResponse problem(Throwable failure) {
    Throwable cause =
        failure instanceof CompletionException && failure.getCause() != null
            ? failure.getCause()
            : failure;
    if (cause instanceof EntityStreamSizeException) {
      return problem(StatusCodes.CONTENT_TOO_LARGE, "the body is too large", null);
    }
    if (cause instanceof TimeoutException) {
      return problem(StatusCodes.REQUEST_TIMEOUT, "the body did not come in time", null);
    }
    if (cause instanceof BadRequestException wrong) {
      return problem(StatusCodes.BAD_REQUEST, wrong.getMessage(), wrong.parameter());
    }
    if (PresenceDatabase.isAway(cause)) {
      return problem(
              StatusCodes.SERVICE_UNAVAILABLE, "PostgreSQL cannot be reached, try again", null)
          .addHeader(RawHeader.create("Retry-After", RETRY_SECONDS));
    }
    log.error("a question about presence failed", cause);
    return problem(StatusCodes.INTERNAL_SERVER_ERROR, "see the log of the node", null);
  }

  /**
   * A problem.
   *
   * @param parameter the culprit, if it is a parameter
   */
  public HttpResponse problem(
      StatusCode status, @Nullable String detail, @Nullable String parameter) {
    var problem = new LinkedHashMap<String, Object>();
    problem.put("type", "about:blank");
    problem.put("title", status.reason());
    problem.put("status", status.intValue());
    if (detail != null) {
      problem.put("detail", parameter == null ? detail : parameter + ": " + detail);
    }
    if (parameter != null) {
      problem.put("parameter", parameter);
    }
    HttpEntity.Strict entity = HttpEntities.create(PROBLEM, write(problem));
    return HttpResponse.create().withStatus(status).withEntity(entity);
  }

  /** The counts that {@code watching_times.nodes} holds. */
  Map<String, Integer> counts(String nodes) {
    if (nodes.equals("{}")) {
      return Map.of();
    }
    try {
      return json.readValue(nodes, COUNTS);
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException("watching_times.nodes is not a map of counts", impossible);
    }
  }

  private String write(Object value) {
    try {
      return json.writeValueAsString(value);
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
