# Rack, for Puma: answers 200 to a JSON object, 400 to anything else.
require "json"

run lambda { |environment|
  next [405, {}, []] unless environment["REQUEST_METHOD"] == "POST"
  alarm = begin
    JSON.parse(environment["rack.input"].read.to_s.force_encoding("UTF-8"))
  rescue JSON::ParserError, EncodingError
    nil
  end
  [alarm.is_a?(Hash) ? 200 : 400, {}, []]
}
