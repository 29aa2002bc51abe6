package dev.hawser.presence.http;

import static org.apache.pekko.http.javadsl.server.Directives.complete;
import static org.apache.pekko.http.javadsl.server.Directives.onComplete;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.hawser.presence.PresenceDatabase;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.apache.pekko.http.javadsl.model.ContentTypes;
import org.apache.pekko.http.javadsl.model.HttpCharsets;
import org.apache.pekko.http.javadsl.model.HttpEntities;
import org.apache.pekko.http.javadsl.model.HttpEntity;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.MediaTypes;
import org.apache.pekko.http.javadsl.model.StatusCode;
import org.apache.pekko.http.javadsl.model.StatusCodes;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;
import org.apache.pekko.http.javadsl.server.Route;
import org.apache.pekko.http.scaladsl.model.EntityStreamSizeException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** JSON for answers, problem details (RFC 9457) for everything else. */
public final class Answers {

  private static final Logger log = LoggerFactory.getLogger(Answers.class);

  private static final org.apache.pekko.http.javadsl.model.ContentType.WithFixedCharset PROBLEM =
      ContentTypes.create(
          MediaTypes.customWithFixedCharset(
              "application", "problem+json", HttpCharsets.UTF_8, Map.of(), true));

  private static final String RETRY_SECONDS = "2";

  final ObjectMapper json =
      new ObjectMapper().setDefaultPropertyInclusion(JsonInclude.Include.NON_NULL);

  /** The question's answer, or the problem it ends in. */
  Route answer(Supplier<CompletionStage<?>> question) {
    CompletionStage<?> answer;
    try {
      answer = question.get();
    } catch (BadRequestException wrong) {
      return complete(problem(wrong));
    }
    return onComplete(
        () -> answer.thenApply(value -> (Object) value),
        result ->
            result.isSuccess()
                ? complete(ok(result.get()))
                : complete(problem(result.failed().get())));
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

  private String write(Object value) {
    try {
      return json.writeValueAsString(value);
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
