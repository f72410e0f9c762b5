# frozen_string_literal: true

# WEBrick: answers 200 to a JSON object, 400 to anything else.
require "json"
require "webrick"

server = WEBrick::HTTPServer.new(
  BindAddress: "127.0.0.1", Port: ARGV[0].to_i, AccessLog: [], Logger: WEBrick::Log.new(File::NULL), RequestTimeout: 20
)
server.listeners.each { |listener| listener.listen(256) }
server.mount_proc("/") do |request, response|
  if request.request_method == "POST"
    alarm = begin
      JSON.parse(request.body.to_s.dup.force_encoding("UTF-8"))
    rescue JSON::ParserError, EncodingError
      nil
    end
    response.status = alarm.is_a?(Hash) ? 200 : 400
  else
    response.status = 405
  end
end
server.start
